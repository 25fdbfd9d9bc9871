/* SPDX-License-Identifier: Apache-2.0 */
/* The one door to JavaScriptCore: opened at run time, in the worker alone. */
#include "script/jsc.h"

#include <dlfcn.h>

#if __has_include(<JavaScriptCore/JavaScript.h>)
#include <JavaScriptCore/JavaScript.h>
void JSContextGroupSetExecutionTimeLimit(JSContextGroupRef group, double limit, JSShouldTerminateCallback callback,
					 void *context);
#define CHECK(ret, name, args)                                                                                         \
	_Static_assert(__builtin_types_compatible_p(__typeof__(&JS##name), ret(*) args),                               \
		       "JS" #name " has another type");
JSC_FUNCTIONS(CHECK)
#undef CHECK
#endif

struct jsc jsc;

int jsc_open(struct err *e)
{
	void *library = dlopen(JSC_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return err_set(e, ERR_MISSING,
			       "scripts need JavaScriptCore (%s): install the package " JSC_PACKAGE
			       " (apt install " JSC_PACKAGE ")",
			       dlerror());
#define LOAD(ret, name, args)                                                                                          \
	*(void **)&jsc.name = dlsym(library, "JS" #name);                                                              \
	if (!jsc.name)                                                                                                 \
		return err_set(e, ERR_MISSING, "%s has no function JS%s: install a newer " JSC_PACKAGE, JSC_LIBRARY,   \
			       #name);
	JSC_FUNCTIONS(LOAD)
#undef LOAD
	return 0;
}
