import { KMSClient, KMSServiceException } from '@aws-sdk/client-kms';
import { expect } from 'vitest';
import type { LocalService } from '../local-service.ts';

/** What signs requests. */
interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A client as applications make one, for a role of the tenant. */
export async function awsClient(local: LocalService, role = 'tenant_admin') {
  const { status, body } = await local.call('POST', '/kms/v1/tokens', { name: 'aws', role, awsCredentials: true });
  expect(status).toBe(201);
  const credentials = body['awsCredentials'] as AwsCredentials;
  const { baseUrl: endpoint } = local.service;
  const client = new KMSClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
  return { client, credentials, tokenId: String(body['tokenId']) };
}

/** The name of the error of AWS that a call fails with, and its message. */
export async function failure(call: Promise<unknown>): Promise<readonly [name: string, message: string]> {
  try {
    await call;
  } catch (error) {
    if (error instanceof KMSServiceException) return [error.name, error.message];
    throw error;
  }
  throw new Error('the call succeeded');
}
