/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JavaScriptCore's C API as a table of pointers, filled by dlopen in the worker process. The server never maps the
 * library (32 MB and its ICU): only workers pay for it, and a machine without it still runs flows that need no script.
 *
 * The types are declared here, not taken from the headers, so that a test may include the worker's source. jsc.c checks
 * each row against the headers.
 */
#pragma once
#include "base/err.h"

#define JSC_LIBRARY "libjavascriptcoregtk-4.1.so.0"
#define JSC_PACKAGE "libjavascriptcoregtk-4.1-0"

typedef const struct OpaqueJSContextGroup *JSContextGroupRef;
typedef const struct OpaqueJSContext *JSContextRef;
typedef struct OpaqueJSContext *JSGlobalContextRef;
typedef struct OpaqueJSString *JSStringRef;
typedef struct OpaqueJSClass *JSClassRef;
typedef const struct OpaqueJSValue *JSValueRef;
typedef struct OpaqueJSValue *JSObjectRef;
typedef JSValueRef (*JSObjectCallAsFunctionCallback)(JSContextRef ctx, JSObjectRef function, JSObjectRef thisObject,
						     size_t argumentCount, const JSValueRef arguments[],
						     JSValueRef *exception);
typedef bool (*JSShouldTerminateCallback)(JSContextRef ctx, void *context); /* exported, but in no installed header */

/* clang-format off */
#define JSC_FUNCTIONS(X) \
	X(JSContextGroupRef, ContextGroupCreate, (void)) \
	X(JSGlobalContextRef, GlobalContextCreateInGroup, (JSContextGroupRef group, JSClassRef globalObjectClass)) \
	X(void, GlobalContextRelease, (JSGlobalContextRef ctx)) \
	X(JSGlobalContextRef, GlobalContextRetain, (JSGlobalContextRef ctx)) \
	X(JSObjectRef, ContextGetGlobalObject, (JSContextRef ctx)) \
	X(JSValueRef, EvaluateScript, (JSContextRef ctx, JSStringRef script, JSObjectRef thisObject, JSStringRef sourceURL, int startingLineNumber, JSValueRef *exception)) \
	X(void, GarbageCollect, (JSContextRef ctx)) \
	X(JSStringRef, StringCreateWithUTF8CString, (const char *string)) \
	X(void, StringRelease, (JSStringRef string)) \
	X(size_t, StringGetMaximumUTF8CStringSize, (JSStringRef string)) \
	X(size_t, StringGetUTF8CString, (JSStringRef string, char *buffer, size_t bufferSize)) \
	X(JSObjectRef, ObjectMakeFunction, (JSContextRef ctx, JSStringRef name, unsigned parameterCount, const JSStringRef parameterNames[], JSStringRef body, JSStringRef sourceURL, int startingLineNumber, JSValueRef *exception)) \
	X(JSObjectRef, ObjectMakeFunctionWithCallback, (JSContextRef ctx, JSStringRef name, JSObjectCallAsFunctionCallback callAsFunction)) \
	X(JSObjectRef, ObjectMakeArray, (JSContextRef ctx, size_t argumentCount, const JSValueRef arguments[], JSValueRef *exception)) \
	X(JSValueRef, ObjectCallAsFunction, (JSContextRef ctx, JSObjectRef object, JSObjectRef thisObject, size_t argumentCount, const JSValueRef arguments[], JSValueRef *exception)) \
	X(JSValueRef, ObjectGetProperty, (JSContextRef ctx, JSObjectRef object, JSStringRef propertyName, JSValueRef *exception)) \
	X(void, ObjectSetProperty, (JSContextRef ctx, JSObjectRef object, JSStringRef propertyName, JSValueRef value, unsigned attributes, JSValueRef *exception)) \
	X(JSValueRef, ObjectGetPropertyAtIndex, (JSContextRef ctx, JSObjectRef object, unsigned propertyIndex, JSValueRef *exception)) \
	X(bool, ObjectIsFunction, (JSContextRef ctx, JSObjectRef object)) \
	X(bool, ValueIsString, (JSContextRef ctx, JSValueRef value)) \
	X(bool, ValueIsObject, (JSContextRef ctx, JSValueRef value)) \
	X(JSValueRef, ValueMakeBoolean, (JSContextRef ctx, bool boolean)) \
	X(JSValueRef, ValueMakeNumber, (JSContextRef ctx, double number)) \
	X(JSValueRef, ValueMakeString, (JSContextRef ctx, JSStringRef string)) \
	X(double, ValueToNumber, (JSContextRef ctx, JSValueRef value, JSValueRef *exception)) \
	X(JSStringRef, ValueToStringCopy, (JSContextRef ctx, JSValueRef value, JSValueRef *exception)) \
	X(void, ValueProtect, (JSContextRef ctx, JSValueRef value)) \
	X(void, ValueUnprotect, (JSContextRef ctx, JSValueRef value)) \
	X(void, ContextGroupSetExecutionTimeLimit, (JSContextGroupRef group, double limit, JSShouldTerminateCallback callback, void *context))
/* clang-format on */

struct jsc {
#define JSC_FIELD(ret, name, args) ret(*name) args;
	JSC_FUNCTIONS(JSC_FIELD)
#undef JSC_FIELD
};

extern struct jsc jsc; /* filled by jsc_open() */

/* Map the library. -ERR_MISSING with a message that names the package to install. */
int jsc_open(struct err *e);
