/*
 * A PKCS #11 module that passes every call on to another module and makes faults on the way. The file that
 * FAULTY_MODULE_RULES names is read again at each call, one rule a line:
 *
 *   <function or *> <action> [argument]
 *
 *   fail <CKR>      return this code instead of calling
 *   fail-once <CKR> the same, for the next call only; a marker beside the file remembers it
 *   delay <ms>      wait, then call
 *   hang            never return
 *   hang-after      call, then never return
 *   abort           end the process as a crash would
 *   flip            call, and flip a bit of the output
 *   flip-once       the same, for the next call only
 *   constant        call, and overwrite the output with zeros
 *
 * Each call is counted in the file that FAULTY_MODULE_LOG names, if there is one.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkcs11/pkcs11.h"

struct rule {
  char action[32];
  unsigned long argument;
};

static CK_FUNCTION_LIST_PTR real;
static CK_FUNCTION_LIST ours;
static pthread_mutex_t once_lock = PTHREAD_MUTEX_INITIALIZER;

static void record(const char *function) {
  const char *path = getenv("FAULTY_MODULE_LOG");
  if (path == NULL) return;
  FILE *log = fopen(path, "a");
  if (log == NULL) abort();
  fprintf(log, "%s\n", function);
  fclose(log);
}

/* Whether the one fault that a fail-once rule allows is still to be made. */
static int take_once(const char *rules, const char *function) {
  char marker[4096];
  snprintf(marker, sizeof marker, "%s.%s.done", rules, function);
  pthread_mutex_lock(&once_lock);
  int fresh = access(marker, F_OK) != 0;
  if (fresh) {
    FILE *file = fopen(marker, "w");
    if (file == NULL) abort();
    fclose(file);
  }
  pthread_mutex_unlock(&once_lock);
  return fresh;
}

static struct rule rule_for(const char *function) {
  struct rule found = {"", 0};
  const char *path = getenv("FAULTY_MODULE_RULES");
  FILE *file = path == NULL ? NULL : fopen(path, "r");
  record(function);
  if (file == NULL) return found;
  char line[256], name[64], action[32];
  while (fgets(line, sizeof line, file) != NULL) {
    unsigned long argument = 0;
    if (sscanf(line, "%63s %31s %lu", name, action, &argument) < 2) continue;
    if (strcmp(name, "*") != 0 && strcmp(name, function) != 0) continue;
    if (strstr(action, "-once") != NULL && !take_once(path, function)) continue;
    strcpy(found.action, action);
    found.argument = argument;
    break;
  }
  fclose(file);
  return found;
}

/* Does what comes before the call. Answers the code to return instead of calling, or CKR_OK to call. */
static CK_RV before(struct rule rule) {
  if (strcmp(rule.action, "fail") == 0 || strcmp(rule.action, "fail-once") == 0) return rule.argument;
  if (strcmp(rule.action, "abort") == 0) abort();
  if (strcmp(rule.action, "hang") == 0)
    for (;;) pause();
  if (strcmp(rule.action, "delay") == 0) usleep(rule.argument * 1000);
  return CKR_OK;
}

static void hang_after(struct rule rule) {
  if (strcmp(rule.action, "hang-after") == 0)
    for (;;) pause();
}

static void after(struct rule rule, CK_BYTE_PTR output, CK_ULONG length) {
  hang_after(rule);
  if (output == NULL || length == 0) return;
  if (strncmp(rule.action, "flip", 4) == 0) output[length / 2] ^= 1;
  if (strcmp(rule.action, "constant") == 0) memset(output, 0, length);
}

#define PASS(name, parameters, arguments)                                                                              \
  CK_RV name parameters {                                                                                              \
    struct rule rule = rule_for(#name);                                                                                \
    CK_RV result = before(rule);                                                                                       \
    if (result != CKR_OK) return result;                                                                               \
    result = real->name arguments;                                                                                     \
    hang_after(rule);                                                                                                  \
    return result;                                                                                                     \
  }

#define PASS_OUTPUT(name, parameters, arguments, output, length)                                                       \
  CK_RV name parameters {                                                                                              \
    struct rule rule = rule_for(#name);                                                                                \
    CK_RV result = before(rule);                                                                                       \
    if (result != CKR_OK) return result;                                                                               \
    result = real->name arguments;                                                                                     \
    if (result == CKR_OK) after(rule, output, length);                                                                 \
    return result;                                                                                                     \
  }

PASS(C_GetSlotList, (CK_BBOOL present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count), (present, slots, count))
PASS(C_GetTokenInfo, (CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info), (slot, info))
PASS(C_GetMechanismList, (CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR list, CK_ULONG_PTR count), (slot, list, count))
PASS(C_OpenSession, (CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR data, CK_NOTIFY notify, CK_SESSION_HANDLE_PTR out),
     (slot, flags, data, notify, out))
PASS(C_CloseSession, (CK_SESSION_HANDLE session), (session))
PASS(C_Login, (CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG length),
     (session, user, pin, length))
PASS(C_GetAttributeValue, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template, CK_ULONG count),
     (session, object, template, count))
PASS(C_FindObjectsInit, (CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count),
     (session, template, count))
PASS(C_FindObjects, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR out, CK_ULONG most, CK_ULONG_PTR count),
     (session, out, most, count))
PASS(C_FindObjectsFinal, (CK_SESSION_HANDLE session), (session))
PASS(C_DestroyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object), (session, object))
PASS(C_EncryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR how, CK_OBJECT_HANDLE key), (session, how, key))
PASS(C_DecryptInit, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR how, CK_OBJECT_HANDLE key), (session, how, key))
PASS(C_SignInit, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR how, CK_OBJECT_HANDLE key), (session, how, key))
PASS(C_GenerateKey,
     (CK_SESSION_HANDLE session, CK_MECHANISM_PTR how, CK_ATTRIBUTE_PTR template, CK_ULONG count,
      CK_OBJECT_HANDLE_PTR out),
     (session, how, template, count, out))
PASS(C_GenerateKeyPair,
     (CK_SESSION_HANDLE session, CK_MECHANISM_PTR how, CK_ATTRIBUTE_PTR public_template, CK_ULONG public_count,
      CK_ATTRIBUTE_PTR private_template, CK_ULONG private_count, CK_OBJECT_HANDLE_PTR public_key,
      CK_OBJECT_HANDLE_PTR private_key),
     (session, how, public_template, public_count, private_template, private_count, public_key, private_key))
PASS_OUTPUT(C_Encrypt,
            (CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR out, CK_ULONG_PTR out_length),
            (session, data, length, out, out_length), out, *out_length)
PASS_OUTPUT(C_Decrypt,
            (CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR out, CK_ULONG_PTR out_length),
            (session, data, length, out, out_length), out, *out_length)
PASS_OUTPUT(C_Sign,
            (CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR out, CK_ULONG_PTR out_length),
            (session, data, length, out, out_length), out, *out_length)
PASS_OUTPUT(C_GenerateRandom, (CK_SESSION_HANDLE session, CK_BYTE_PTR out, CK_ULONG length), (session, out, length),
            out, length)

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  const char *path = getenv("FAULTY_MODULE_REAL");
  void *library = path == NULL ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return CKR_GENERAL_ERROR;
  CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList");
  if (get == NULL || get(&real) != CKR_OK) return CKR_GENERAL_ERROR;
  ours = *real;
  ours.C_GetFunctionList = C_GetFunctionList;
  ours.C_GetSlotList = C_GetSlotList;
  ours.C_GetTokenInfo = C_GetTokenInfo;
  ours.C_GetMechanismList = C_GetMechanismList;
  ours.C_OpenSession = C_OpenSession;
  ours.C_CloseSession = C_CloseSession;
  ours.C_Login = C_Login;
  ours.C_GetAttributeValue = C_GetAttributeValue;
  ours.C_FindObjectsInit = C_FindObjectsInit;
  ours.C_FindObjects = C_FindObjects;
  ours.C_FindObjectsFinal = C_FindObjectsFinal;
  ours.C_DestroyObject = C_DestroyObject;
  ours.C_EncryptInit = C_EncryptInit;
  ours.C_DecryptInit = C_DecryptInit;
  ours.C_SignInit = C_SignInit;
  ours.C_GenerateKey = C_GenerateKey;
  ours.C_GenerateKeyPair = C_GenerateKeyPair;
  ours.C_Encrypt = C_Encrypt;
  ours.C_Decrypt = C_Decrypt;
  ours.C_Sign = C_Sign;
  ours.C_GenerateRandom = C_GenerateRandom;
  *list = &ours;
  return CKR_OK;
}
