export { type AwsKmsOptions, awsKmsDialect } from './aws-kms-dialect.ts';
