import type { KnownAnswer } from './known-answer.ts';

/** Published known answers of the classical algorithms, in base64. The keys are those of the publications. */
export const CLASSICAL_ANSWERS: readonly KnownAnswer[] = [
  {
    kind: 'aead',
    algorithm: 'aes-256-gcm',
    source: 'xaes-256-gcm-c2sp/MSB(L) = 1',
    key: 'AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=',
    nonce: 'QUJDREVGR0hJSktMTU5PUFFSU1RVVldY',
    aad: 'YzJzcC5vcmcvWEFFUy0yNTYtR0NN',
    plaintext: 'WEFFUy0yNTYtR0NN',
    sealed: 'mG7BgyWT31RDoXlDf9CDvz/bQavXQKIfcet2nQ==',
  },
  {
    kind: 'aead',
    algorithm: 'aes-128-gcm',
    source: 'aes-gcm-specification/4',
    key: '/v/pkoZlcxxtao+UZzCDCA==',
    nonce: 'yv66vvrO263eyviI',
    aad: '/u36zt6tvu/+7frO3q2+76ut2tI=',
    plaintext: '2TEyJfiEBuWlWQnFr/UmmoanqVMVNPfaLkwwPYoxinIcPAyVlWgJUy/PDiRJprUlsWrt9aoN5le6Y3s5',
    sealed: 'QoMewiF3dCRLciG3hNDUnOOqIS8sAqTgNcF+IymsoS4h1RSyVGaTHH2PalqshKoFG6MLOWoKrJc9WOCRW8lPvDIhpduU+ula5xIaRw==',
  },
  {
    kind: 'aead',
    algorithm: 'chacha20-poly1305',
    source: 'chacha20-poly1305-rfc8439/2.8.2',
    key: 'gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8=',
    nonce: 'BwAAAEBBQkNERUZH',
    aad: 'UFFSU8DBwsPExcbH',
    plaintext:
      'TGFkaWVzIGFuZCBHZW50bGVtZW4gb2YgdGhlIGNsYXNzIG9mICc5OTogSWYgSSBjb3VsZCBvZmZlciB5b3Ugb25seSBvbmUgdGlwIGZvciB0aGUgZnV0dXJlLCBzdW5zY3JlZW4gd291bGQgYmUgaXQu',
    sealed:
      '0xqNNGSOYNt7hq+8U+9+wqSt7VEpbgj+qeK1pzbuYtY9vqRejKlnEoL6+2naknKLGnHeCp4GCykF1qW2fs07NpLdvX8td4uMmAOu4ygJG1j6syTk+tZ1lFWFgItIMde8P/Te8I5Lep3ldtJlhs7GS2EWGuELWU8J4mp+kC7L0GAGkQ==',
  },
  {
    kind: 'legacy-cipher',
    algorithm: 'aes-256-cbc',
    source: 'aes-cbc-pkcs7-wycheproof/tc164',
    key: 'cyFvr9ACLQ1u4nGYsiclePqPBN2fREZ/u2Q3qkVkG/c=',
    ciphertext: 'S3S9mB6p0HR1fD4u9RXl+/vqd2+xZTY1+I4pN+0kULpOkGPpbXzboEko8By4VJL+',
    plaintext: '1SR7j2w+3L+x1ZHRPs4j0vU=',
  },
  {
    kind: 'mac',
    algorithm: 'hmac-sha256',
    source: 'hmac-rfc4231/1-sha256',
    key: 'CwsLCwsLCwsLCwsLCwsLCwsLCws=',
    message: 'SGkgVGhlcmU=',
    mac: 'sDRMYdjbOFNcqK/OrwvxK4gdwgDJgz2nJuk3bC4yz/c=',
  },
  {
    kind: 'mac',
    algorithm: 'hmac-sha384',
    source: 'hmac-rfc4231/1-sha384',
    key: 'CwsLCwsLCwsLCwsLCwsLCwsLCws=',
    message: 'SGkgVGhlcmU=',
    mac: 'r9A5RNhIlWJrCCX0q0aQfxX52tvkEB7GgqoDTHzrxZz66p6pB27ef0rxUuiy+py2',
  },
  {
    kind: 'mac',
    algorithm: 'hmac-sha512',
    source: 'hmac-rfc4231/1-sha512',
    key: 'CwsLCwsLCwsLCwsLCwsLCwsLCws=',
    message: 'SGkgVGhlcmU=',
    mac: 'h6p83qXvYZ1P8LQkGh1ssCN59OLOTsJ4etCzBUXhfN7aqDO31rinAgOLJ06uo/Tkvp2RTuth8XAuaWwgOhJoVA==',
  },
  {
    kind: 'mac',
    algorithm: 'hmac-sha3-256',
    source: 'hmac-sha3-nist/1',
    key: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=',
    message: 'U2FtcGxlIG1lc3NhZ2UgZm9yIGtleWxlbjxibG9ja2xlbg==',
    mac: 'T+jiAsTwWOjd3CPYw05Gc0PiNVXiT8LwJdWY9Vj2cgU=',
  },
  {
    kind: 'signature',
    algorithm: 'ed25519',
    source: 'ed25519-rfc8032/TEST 3',
    privateKey: 'MC4CAQAwBQYDK2VwBCIEIMWqjfQ/n4N77bdELzHct7Fm04U1B28JS4XOOi4LRFj3',
    message: 'r4I=',
    signature: 'YpHWV97sJAJIJ+acOr4BowzlSKKEdDpEXjaA19taw6wY/5tTjRbykK5n92CYTcZZSnwV6XFu0o3AJ77O6h7ECg==',
    deterministic: true,
  },
  {
    kind: 'signature',
    algorithm: 'ecdsa-p256',
    source: 'ecdsa-rfc6979/P-256-sample',
    privateKey: 'MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCDJr6nYRbp1FmtcIVdnsdaTTlDD2zbomxJ7imIrEg9nIQ==',
    message: 'c2FtcGxl',
    signature: 'MEYCIQDv1IsqrLao/RFA3ZzUXoHWnSyHe1aq+ZHDTQ6oTq83FgIhAPfLHJQtZXxB1DbHobbin2Xz6QDbua/0Bk3Eqy+EOs2o',
    deterministic: false,
  },
  {
    kind: 'signature',
    algorithm: 'ecdsa-p384',
    source: 'ecdsa-rfc6979/P-384-sample',
    privateKey:
      'ME4CAQAwEAYHKoZIzj0CAQYFK4EEACIENzA1AgEBBDBrnT2tLhuMHAWxmHW2ZZ9N4jw7Znvyl7qapHdAeHE32JbVck5McKgl+HLJ6mDS7fU=',
    message: 'c2FtcGxl',
    signature:
      'MGYCMQCU7buSpey4qtRzblbGkZFrP4gUBmbOn6c9ZMTqla0TPIGmSBUuRKz5bjbdHoD6vkYCMQCZ70rrFfF4zqH+QNsmAxOPEw50ChliRSYgO2NR0KOpT6MpwUV4bmeee4LHGjhiisg=',
    deterministic: false,
  },
  {
    kind: 'signature',
    algorithm: 'rsa-2048',
    source: 'rsa-pkcs1-v1_5-cavp/2048-2',
    privateKey:
      'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCpESRaLPsz2O43XflDn3TmacA6jZrK0lvSes882L6n652+RwFVx8cngslIYfe1c80yVjn7Bw6bpuYhmRrvpFEGGC5NJkvnBoA1WV11SQUpibPn/QTKvJQBLBJ4oO+GcrGlHdGp4naBa6SX3qJLT+vj3Y6Xdwe80jDKb7b4qL/55rok+63Nk/ABJrGbOWo45u+G0Y/vlFuRVMGWP7SIxwJZU1EfhtBWOL/gVkk3MLxneERuWc08XDrPB6CjpklDeTZS8Q4ykqp6bSWgMYHMb2ugZY2QnlnOKgK6zJdm/YxPvU7ZwjqGaES4p5TUnlBfn5RIcKcarb5TOAOYJcLf+BrzAgMBAAECggEAKQ0Rf5fWcvNkfCskQCgysVPSKiWCBWdohkXtlf+m440RY0dIarS0hcJ670liZTu2AlfvgiVnhaHT1Sqg4LlMNyed7nuzCGiKrumBCN5vE3PtLBJCnJuHcHVsEsA5CLNGsSn5Y7+qOKiTcZDMZW8FfvGoEt0DEvUShcT0b5JB8wKOpqYdsOklWXZGn11VQs7VXuLW9K/nZsCnD0mHHTad2POoKnFBY579Sh9KQAmCHDwrn1xfXu+ZpfAPvYvIGRo2VOj42M4S2Q5f8qTFMLdjBsjFbgVJpvJ3qyrzpgzMv0u0sstH8E8hH4uGqmU79pE/O17RkMUbWVjkBZei39MAYQKBgQC/lt4QiWO1ETOZtmR2Xv4Ebi2v23DW5eKdxuyJt4mwWTSNdNiRKcet6d20BMbcOjQ3x/yfI7w42tyP/Q/3V5mfXC1RC5kwVhR8zfQh4D0L4sdOwzOpZ3xDDMYE9VUNDYbe/d5xSI49uInGmaXKy0Tc2uLzzKOGleeD5vYlCCfvsQKBgQDh5+M2GNG2TWhiwTLksc1fq60gzmK9l7zio/WtLaZ7sKfwueSDNaM7e5XnfsTEfpFBaIH598I/m8GRjMZEM1x0Jg6QzXsuD+2ALxnnjF7YCkMbOGMNgvmCx0oDgbjs+UPGCBD66QV04hY1eyU1ACMW2VKctWQg88yC3qN8tiTh4wKBgQC841w6h4nTCYuLH6S6g3sDGTFX8Qy2Al3DWkz4lghc4gYK9MlTjRJ951WaVx9MHuI+oJ/ysgOvNjBAkan9HNOrpvBSuBGm8yctyMvJ3k+xeTsw7wjvGsULQfu1Bb99p/lxvm9h1rvOJDNJp1AquO9Co1cgMICEfySLCdlht0HQcQKBgGKWaYE9WaA+rfSTLhvCQMeky3yKtWraYrNiLKB0ULigQtp6tfBRIzidWbFakJLUTZ4G9tpZNuu9lL9peUlgRNPnm+mz0zMp/lM3uw1jJC0SZXDmrcvCwhNB19op7cN1kQ9Gi+qEcT4uQNT8NiOoOKgLFdOQEe+Tlkfy09RkRTpTAoGAEmHc4ePV0AaUi69gmrXRFHgMhcQrcGXd8OpB0NnhvOKxVAhlUeQl829G+w2mK6fgVLleUgfuCKbhqmjMYRq+PFfiCidc75W0I0slOeHtSOWiNjxPLLhBeNv217+WinIuzhaHN2cDCZzMGCow1XYbWqiu3TOUGZfGP2ePSrocDYI=',
    message:
      'aRjWMoygqLZLvoHZHN6lGZEbWfwtvVOvdgBv7EsYoyB4cTXOiDsrLtsmBBv4aqUsIwuWIDNbbn+ewIx+1rcII9gZ6asBnpkpJJ+Wb9sgaTEaDdxoCsRo9RTU7Yc7BKa+sJhbkaDP2O1RsJ+ebQbac56qk51aACdZAcT4zyUHYzk=',
    signature:
      'eU0KRbyfxv67WG4xnfppJMiIWUgCud65Zolj/bMJvwKBeWCnRXEG/EdPkWAUNuiVTLtoFTULLFG1PJaNLEjMF5lVDV0DtB9uWow8Jk0uL+C1uP9T/cud0RHJhctIjXCG5lSLQHfsAHIcnLUA/gegMcIDDorR3QESw0/9kJHXehh6rIZhspju4562FflxXExIpnYu3lWkZux/PNtqk3z8gBiKhdj406KoCxmc5eY3WvjwLwbXBqNNnPODGJA5ZdtUqqfT+np+5YA0zVjIQ1c5yJBjZuLduik/L7LBXwf6SVEBRHHn9nfTvaz/xMaKkG4I1os5+QEHRsus0imAzuc+jQ==',
    scheme: 'pkcs1-v1_5',
    deterministic: true,
  },
  {
    kind: 'signature',
    algorithm: 'rsa-3072',
    source: 'rsa-pkcs1-v1_5-cavp/3072-7',
    privateKey:
      'MIIG/QIBADANBgkqhkiG9w0BAQEFAASCBucwggbjAgEAAoIBgQDzPTI08TJyw7K2ghzkgFZj/y6LDSpH3jY9l/ycyHnMa0D55TrqaV3FOKDStVhJiCmqwyfqy82InhcrNPkHRcXVKLfoJgXxpY/SKOx/1Lb0dvOThk9I3EcJfIp4Ci7MAvdIE429ffmcUtgiouUVTGBH+w7rT0naOO3K48MtP95DXykflsrR4J4QMK1++0lEtp4HTQ15ZL7LPLhiONjSk77zAw0UHRSGi8IfoTPp3hEV90mZHPhu9QbmY6wWKyyFZ/8TGmtGem9WTWxYiGC+y9iJcDVBmOzdTx9Lruj4va9yVYNThfVnNiXxE1ULEjYooL45lNkcOhmoLl1zRI2r9oTuZ5T7p6Kxr77gKH5aERgMKc4IlnldUqx/QI/ijo6RFv4LYaEIP5XFIn1i1VN7UEC3niGzqOg8Ilvz7+uy+AhUHpfSiiRoNZ/GD1iOdPqtYRJiBkYool2NYfnQPYshzKUVWVqvI0OnWbdKaor+/8oTmjiaooGZXNGOFqnPe3/w3dsCAwEAAQKCAYAHita94IVyxzxelL3w8e/RLaOo/nwDUCcjas0+Tqhu3Rvd2SymAdASt6pOTlQ8rM20n1TjXsrH7osDtSKhsJlX/j68TULdltzU+fLiFdukd0nJ7HNp7CFXGyGvY4rG8F1FmAxK8MHm2y9w3Nc4qAPLnO59/8PnpzXsbCVBsnDMawIl73GTkiD57zXPXFsNwpHiN71FYzPYA9Eog+BpSy6JGjJIyja4OKjeJ+FUYk/qUUmFchSxWsS01n4KuUT/UABVLGb4MyOfPUwnp2yxTdGB0/UqEstPP5UY3LaMnbkj5nfW9zP+vJMVLDEYgCBaW3PvMjwHuHzVVUkVawRSZW8PEaLEMJJPQmoiEXwE3qR3WI/gkrutGkvyoKe2vvz/o/kfTTCP8kUV2uFYl+mrAL91X5o2YFe2bwlVc6n4gbxI43Ed6ACzwBVcl2lXxA6riDTHt5EdQm/XSE6JX8jYu173tWLaeoRv1r0BPO9V/zsR3kP+baDJC1nbpLsGDOTK880CgcEA8/zGquV1MSd42eiWrP18GqTFUk8gRT6LqyVTYxZK+nEkskJVh6B3+gv69hsS7z8FQNxMnndxIqYGEKU9HXWwpYWcZUqN38L/SGB1i/Wm8mS/i8K6p1Uet74jvAaXi+mS/IHYkOB6Or+V0g7uP2u7wImYXKyWOVtHOydBxmvSzL7yKEMvZrkGwVsZaU3XhsKfBsvBey5kAN3k49uFgZOCs9BaTDAJ8JLUDQXtWy4EKKIU4Vp6ygm0cSC56my0CE/NAoHBAP82/NxRn+EMaaoN3izzvHLPLOmlSsBj2Am1I/Tl192qVBPVANwh9AnOZhvzMBi3SPujlm2HS/lvQxPq/qnez7px1UCuBQgWGjZYxHYtlOuzpOIoxFZhMV2zDCD72eIOJMBE5PC0nm7ICUmxbgqwfz0yskizn0gzLMNobfBdKcFwpydqzdEpJZqvAYrjr7Sbbg3bnkBKSShj2u575x37ESeQR3lORfOZqWZXltMtXmWVahOm++mSs2v0yEL19RmsRwKBwHwqf9AoxeMl+1KqE0QmHCpTADhLHFkg42NNs4oRpkadndc5+tzyxRvzTNxCGvi2Ua4YbsWWc3T2mM+Px/JeGm+h9110+46MZe4naKq5cSSaMQCnMOZHY0KO+RCPKkCBtdPbIKNaGdob9drYzlZoNTxeybMgAbNeyHlKGScpaDXaVtI2nsDgGJf+DIiSnMRv9w42U1ik2y+1vO5YoTC4KSPpPIrZR7Wug0u9YHWujV9AXO/yY9q95Z5M0VCD0XsJYQKBwGpqxE8d3fuaEGkvNSgrTbXVu1WFbcEBIPETTfXs7PDp9/r5A03G/pokLSGUasazjkQXNz9efgh5I1An2Z59YMLOemxo44I2rSFiLDFW2lTZ6HPBKfUWu93lLbaHLZf768kcMRZJShLJaE4JJOhiJfwfqoV0GIOjixPD9KuYPTQCxEBEYaPIc3ynYo5GWFqHwQEYRUlrcEveL0jn8zvmF4YWvCbRw4tK1H7vIN3XehgDkGK3ay0+1X+7ZtG8+0GEOwKBwQCXedWeg45xTg8E/JNtQIY7K/SS9EbrkM/liycgXCdF5Z3Xtb7NfeHwHx1aWx1A5NIoHWaNVF1O/Avtr15820/tMQZhQD9fMeDo6iOtqzguoJ42EMdUjQ7YNbxpMgb77pGmbxq5wsgL3aPCbhvP14u/D1/BPWRpItOVhI8n9TFjgLGW1O5CLncwnAa5Q5IW0//xx2LvZivDtoPgW1wpr0L9dlx7wbE1bxYY0CrJ82yhY3vGZR+EeHQ71Pg603xfyRU=',
    message:
      '270J/3sccHwr1SAUrbt3POsUaqcmN8hyT1rDn7WlrMThi/4EvlmeP/4PYYa4cM/SVlUn9a5Go9BvS/zHvwAxciLohZWeA8ZTHaPVnhJ7Y/Jf+flDd9Y7NL/rbYk7RjbfZn2kmmFCcSBQOIVFAgW7BdCp6HnHDhoECd8dznCeRHM=',
    signature:
      'Lk2YwQ4SblRNK3S7zwpPA/CB1HJaZmHAaD02ErAd2y3W8Dke82efOdwHhbN6wnXw1oQe06RP9/akB6CFEpoWT69j/yqu0Y7GpffSe0jQF6ULJMjEhZrSu2gKzl869X8urC1zN8DddAP/sui6xp39yY5ioHNUsvyT0D5JnuLRJmR+2roJQZa2k+mMuYrSgXuj9/UiyPeGtu+CYy71oA1dT0LbbSZwmQnKdRqoF0A3ySRiiFLOeOKClJPWx0HTVYrc9xNzRpd1TlXns76g2HF9qKuisodFJ6CzqNLhQzNE3Wu67h68f6NSU52UxrRfkVxpebjhi+iTTSjXcIBsb/iTZg3/0OlIqMzhGshwUH+Iwfhsqoda1yEybctPDV7MLSU4xPq8xsdWzkpZvNr8RFaHh88r2WUEhtqMhf0Lh3lFR+F55JjLalsm9x+Zh9cD8tU0GEEcH5o6LmcFY3t7valmBkHA6wN+tDKy11FdH/qZF1z9uKKk7tATuUf6pL8cPL1Z',
    scheme: 'pkcs1-v1_5',
    deterministic: true,
  },
  {
    kind: 'signature',
    algorithm: 'rsa-4096',
    source: 'rsa-pkcs1-v1_5-cavp/4096-17',
    privateKey:
      'MIIJQwIBADANBgkqhkiG9w0BAQEFAASCCS0wggkpAgEAAoICAQCxCTVlB1TBon5U+e5SXHcEXRoFa67cjBugWj1mMiyOLkFonKArjm7FXTMxzXFOFhs1x3QxFUDGQQzDsTDmXOwyU3fM8YpddwVK+qc35ltoZiMnYn9dEJLfmMCLYKO6Z1mbFAaYb0QVKNLx9db+Xsa4qnl9vbMWKHawgpgjevgccASGNXavVy3dZsSHzzKoLQ+f4mD48mgWEyCK7FVyNiL1DTyzvTOxIm1bW56iyXosWQVOMVNoSewvDyWXwHfmId3qCiLd+x35JcnxlBzUMa/OA5jSjnNs/qs91/BiploqTB3cofMq+gO03f2LfKQMwM4u1CIp11PwPMbYvNynarfCcDxd2tCKqb+aJ3QKiyMWjGtVkXvT1cHAV8NNHvsUEdpRq3RVGb2SuUMv6o+ty5pw5dw63NMIHTMzUHt7mYiG6YgpZijdcmXmTqtVdxJVbMSSN38VoHjctiCm5/BRofuHVO/co94lPdCq1CBbAyZZ5KT7MH8HT73jQHArWRGss0c314NGAM8qx39i+DzMm6eP+RECG5+K0b9CFDCuDWSRaUS1BFQsD2JjxI5eIz7xhp3x78LM9vSpXk2y3ntMsamSvvZXNRG6tL8s1Y5yoMI19W38GC303/+2lDOlZ3QV812E9RJfUgDrV4aMzmt0xYM0F5kOMYNyySOaNtyhoLKICQIDAQABAoICACXguIHjLak4YRtBVlJc4kIWwWiDf6hEeey3IgfpmErbbrc5O7PWB7FGnZt8P0/bvvqksCGIUJGafWapVLMVEpw565n33AjfXEyMkJaPPON7Zu4YTvPUhfg9MIUhqiZJ0owxnq+irshwMaH/XX6TPKVqJBBZNCX7hlmBt5dvygIbnXwxmDEvz+pdAJOmK0p8SamFwAXDp62BbicLJcUH/Da+HEzAoHy3xvoTAkAGJ5OxgEcYmqXnmxb+gKaVUZH1kQtwG8Gu5tzVzv1XGUv1TY4giuQSAnRBkNXsi8wvl38RRhpctDBvybc6//KGOntYDUVLsfuNzLHL7yeUUQmo9aPSsaMlZqpOjAGmKh1zURf/Wmo8x+cHVuffEOl+51xfjvifsKl9ejVpgGn1mp82XUOWq5p2TC+++4QPr19Xc3gBtzrG+fUkFntPOlZ6/5maDbENVdghVXIKXdxjw1tqYyo9pZwWvQwUPEN2YdzTOWUq5C9U+LLY5SZyYTdyq/6M8Nbru8zHZLUbPtoq4o1LqHR6QwzMMsc7rqY9BQuGIQxIWslVRgYHB2TNBrQj792kBZ/EX/1xk/cSPRQBTVu+W1Qkdue/3EkFcxoNmYf+SmjPYHfD32N3ivCKH0648ApKjgOqhyb0P6gp2HwtCjLha0ej8EcqY2jsUKFEI0yALmkZAoIBAQC9Tou3/X7x451x3gawABva3MgbDt8iJuDQVrfupwsiSQACecwcBLGsKRkBT8P7i2K6yj4mFgH7Clip9n8DzWAIWy1DkG02rQFPMhASqb3pYXR4oMECAa/VPyIH3jZIr9HXN6+t9/0sC5gk1PZrLH3+kzkIiKwIjGgMJ7GySGZZzPqJhsjCP3jxi1gVpBAyjmKedEAiG//Y7Eciu6NCDaUjT4mPjNfm19yxNJvEoLZltB2TDjlXz9yIeXruWysn2vtboJSePdiS9JAhLf0kn0sdmf07cmle4GUplxJ/C5tBf6g2W6n9EDuXgwnZuqnUAZAswQfLjSr3zgRmCQDjcHqzAoIBAQDvZ/aYOHNcBVFF0h/MtCKYZCF3/j+tw5BwqV5PwE/wWK6vkHC06y3hzKcthTO8VSBtLOnyiVsUjaZ8ieW2SWumgvdryu9pMGp/pPvUGoOL3w+rPntWwnqMGNxL+XA2Tf90J83Mb1MrSXEigjcKcYt9Uoe/wCxKvDXMsuqzd39eDYon/56+E+clqgoM1IruH6M+prTqllukL8znrzxSimZ1zt9JaWQPLKczRd/TImIN+dzxZSAZXfgjIGHivInBLeJIOPJV57HBdxO6Q11aNR4mM1AZiz+4gbjOCstapYt6+v8YRInRZ8mvIeQOK6n6abRKOFQyk4XJffDeJNwoOkBTAoIBAArkiR+WI4bRnQ6fQu0/pFqsl4sPCQHTEN6MDttZm0dmwexii78U+hA48SplJ5bCx3SODJNucsC6MK3e9CII4Dy62ljn55Dc1ZV0AP7B656RL/186n4uEKsJjfC79Y2rKDzlBGPTQCsXo7KC2ocCMWHDoOV/z75SLe59Hjlu9wy1wbjGG6kps9DaPsBIB3KRRNVvRP1xdQBLYDB8cYFsfZMRkY3EAexTgWxk5Y2j3bruaUE78Uq/OCZWLx+l+U66x/nWvJZ6YoraLazrE4TW8aCLasnP5IZEDS4edj7/MPjM2qX+EkLwey1VqexwVDNRv7UDimpI/i7yGMiyPe3YXAcCggEBAJv4xo6LkJSuHjH34KHT5goUij2L1l7V31+W6IvaxfnXPQ/Ccbtc0Qqf83bTpk4Xw8V9EnniBQXR91qB2Le3A7x67Mk8cFe+pFO+4BZio7tXuvSdA2wVzhNCCxwwSWwHytsZJ5n+GVhFQ8Dwxv011mPyheBmSjTyg7Z2BjSgMMnM1mqSvhAmFVzTeDK9sjnLQOaLY6jGBrRkNAHph8pawsAT5CMG15qPQ+tCpbz/VJS4abqXYJ9GOmhgK4W1waWqyBa3iyJujb92XdLnGoWvv5GxsojB0OTbFtSd8bh/y+x2ZAWieYuFK7++u76Dsf0kKsKECk7dD7ejJm8D4q8OrGMCggEBAIf0xN3vnCQerhIV6S8w4iUlGawYxs34kGvKIWJ/pyiLq5oO/R6m+4ViR5vsHefOfPL4bMhi3zWjdmVZqHpNwqEtIPMIFcaL/e6Hvqv7XM6WX1/dsK1ZFT34vOOs+iearQIC+U8qm0gEnoo+Whr4LWMmm12OqGS4sSOdK1p0SWoRayMHCTL3p/SxMUDheCa/7VAE9yR9/hqKCUO59vwKhW+5YVnGGiWEOArKP6tIuJJjm4DwibNbZRgqlzh4sbFs3lwsCwv/RohLh5OqhWTQbquZ9u9AcZm3R3+LgR7RQ0NoiVzF/+I1SgQCPpugWY2pg424mty5mGw36AX/Cwg9oRk=',
    message:
      'j5N9UNJKGm7YWNLj3lblwjuRfVqTbIe4Tv/AbUgEE5HK9CIHum0jAw7X7cqGR1K5m6OwibMIw9GWaL3MJXiZXUrJrFArNH3jo3zWhfIvG92zzdsODyylOjEbHUX5Rk7b9VpCtI1p0BZ9j7acidboN2tXJ3IRotT6BWAHXS033BI=',
    signature:
      'LfHljnSRc5uwJ8YxWnDuu883uOWVjfB1eKWJpHy68e2yP/LmdvLyc6HMC6vSLgv/h0Upz9ZHmuXHJQ8GV56yEt0/QFjEdquujpTImv4FdGw66pMVXPAxlc5fTs7TmdK2Gqt/QGC2mETL/2MD0mTEdVvnivAB0SWvRh/s7K2PRqnEsHQgymPEIS+Ap1H8ympHN2hFQ/zwezkIm6qZlTlHZvaSOUeefJd4xkTgIt1Ox+B6dpqnXbJXHlil4LoeQ3fpZ3CSvJ3unZ27RIRB2o9DhbTU+Mz/Sz3Dw8Osi6EabOjKr6kwEIujYDxbDvZaAqev6+v2BaqIURUTppswhv38JcWIxNYaBiGdDVZDQQ065NeLL2le/k4LghYcU7udS4qDaSuxbejaGLSmwqu9D2sOJCKQd/1sO8qRi8nZ9FGFmCON8Mkl+Fh//whSxE6BB8y8HOapvjsJQcOyi7A8h+65WdcZ26mmSjOMe5kxzfa7FpaG3h+N4OH6dNA0GdFk8si9IDBWJwXRRwQV5IFEGB39Mc3UIZtdIvmkxlmSPPXE7b3hjoJ32uESZMEUI8VIFALoCvIj8MT66gwseu+sv1E5YsLxavNT/64UFLQI9ybuuUbXxMhXfnLY8dSa4jAc9wq+5G0oam+sG4iMM0U4q7O4MPrllbuxnqnc5Go0PaAxEXw=',
    scheme: 'pkcs1-v1_5',
    deterministic: true,
  },
  {
    kind: 'agreement',
    algorithm: 'x25519',
    source: 'x25519-rfc7748/1',
    privateKey: 'MC4CAQAwBQYDK2VuBCIEIKVG42vwUnydOxYVS4JGXt1iFEwKwfxaGFBqIkS6RJrE',
    peerPublicKey: 'MCowBQYDK2VuAyEA5ttoZ1gwMNs1lMGkJLFffHJmJOwmszU7EKkDptCrHEw=',
    sharedSecret: 'w9pVN53pxpCOlOpN8o0ITzLszwNJHHH3VLQHVXeihVI=',
  },
  {
    kind: 'agreement',
    algorithm: 'ecdh-p256',
    source: 'ecdh-p256-cavp/0',
    privateKey:
      'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0YlE+px5DHP5rg4b9g1DxFVWaVa1Epq0bYFxenn0rEGhRANCAAQw+FbssVPEPOHRu07RwJgjWwa3WBc5t7sxDvVIYe65FWh6GBqxuRRzJFVL6LrIJJFTh7yfVJWd76BTF2rqPkL3',
    peerPublicKey:
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIC084i8IIBh67SSH5T9BMOXNB57RevgWYKP7mJiTaKk5COKaVT0BIxtgOVgv2mNgzx2mF7/lG6TCKNOVH4xgJw==',
    sharedSecret: 'Sg7qivLirX4O2ID0DgMyuYN6uWIgaah8ZLBYHukkCco=',
  },
];
