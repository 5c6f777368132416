/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * kinds: what the records of the store are, in one place. A number is never given a second meaning.
 * Records of hosts lie in the bucket of their host (host_bucket()), all others in bucket 0; those
 * of the dictionary, which all accounts share, under account 0.
 */

enum kind {
	/* Short values, below STORE_KIND_LARGE. */
	KIND_META = 1,    /* account 0: "server-key", "generation", ... -> text or bytes */
	KIND_ELEMENT = 2, /* account 0: u32 -> canonical form */
	KIND_VULN = 3,    /* account 0: u32 -> id */
	KIND_HOST = 4,    /* u64 number -> host record */
	KIND_SEEN = 5,    /* u64 number -> when it last reported, the times of its items, the day's
	                     quota */
	KIND_USAGE = 7,   /* u32 day -> covered seconds of the bucket's hosts on that day (u64) */
	KIND_OBJECT =
	        8, /* "<type>/<name>" -> JSON: what the control plane keeps (server/object.h) */
	KIND_AUDIT = 9, /* time, counter -> JSON: who changed what */
	/* Long values. */
	KIND_SET = 128,      /* u32 number -> SHA-256 of the canonical forms, element numbers */
	KIND_EVIDENCE = 129, /* SHA-256 -> zstd of what a host sent of one type */
	KIND_MATCHES = 130,  /* account 0: u32 element -> its vulnerabilities, since when */
	KIND_CLOSING = 131,  /* i64 closed at, u32 counter -> closed findings; with a u64 host
	                        behind:  the vulnerabilities of which that host's is open again */
	KIND_JOURNAL =
	        133, /* account 0: u32 part -> what a change too large for a batch will write */
	KIND_SINCE = 134,    /* u64 number -> since when a host has elements and findings, where it
	                        cannot be derived */
	KIND_DOCUMENT = 132, /* "<type>/<name>" -> as KIND_OBJECT, for long ones */
};

/** Keys are made of big-endian numbers, so that they sort as the numbers do. */
