/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that was started and has spoken TLS once has touched megabytes of libraries, most of
 * them while they were linked and set up. The kernel counts these pages as the process's as long as
 * they are mapped, and takes them away last. A process that sleeps for minutes can hand them back
 * itself: a private mapping of a file that was never written holds nothing but the file's bytes,
 * and madvise(MADV_DONTNEED) forgets them until the next touch.
 *
 * What was written must stay: segments that may be written to, and all of an object with text
 * relocations, whose code the loader has changed.
 */
#include "base/rest.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static bool has_text_relocations(const struct dl_phdr_info *object)
{
	for (unsigned i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *head = &object->dlpi_phdr[i];
		if (head->p_type != PT_DYNAMIC)
			continue;
		uintptr_t at = object->dlpi_addr + head->p_vaddr;
		for (const ElfW(Dyn) *one = (const void *)at; one->d_tag != DT_NULL; one++) {
			if (one->d_tag == DT_TEXTREL ||
			        (one->d_tag == DT_FLAGS && one->d_un.d_val & DF_TEXTREL))
				return true;
		}
	}
	return false;
}

static int forget(struct dl_phdr_info *object, size_t size, void *ctx)
{
	uintptr_t page = *(const uintptr_t *)ctx;
	(void)size;
	if (has_text_relocations(object))
		return 0;
	for (unsigned i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *head = &object->dlpi_phdr[i];
		if (head->p_type != PT_LOAD || head->p_flags & PF_W)
			continue;
		/* Whole pages of it only: the last may be shared with what is written to. */
		uintptr_t from = (object->dlpi_addr + head->p_vaddr + page - 1) / page * page;
		uintptr_t to = (object->dlpi_addr + head->p_vaddr + head->p_filesz) / page * page;
		if (from < to)
			(void)madvise((void *)from, to - from, MADV_DONTNEED);
	}
	return 0;
}

void rest_memory(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
	(void)dl_iterate_phdr(forget, &page);
}
