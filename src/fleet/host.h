/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * host: one managed host as the fleet knows it. A record that is never changed in place: a change
 * makes a new one and puts it in the old one's place, so that readers see one or the other.
 */

#include <stdatomic.h>

#include "base/arena.h"
#include "fleet/element.h"

/** A key and a value. */
struct pair {
	str key, value;
};

/** One inventory type of a host, as it was last accepted. */
struct host_item {
	str type;           /* "AWS:Application", "Custom:InspectorThirdPartyPackage", ... */
	str schema_version; /* "1.0" */
	str capture_time;   /* as sent: "2023-10-27T05:37:32Z" */
	str content_hash;   /* opaque, compared for equality only, of this host and type only */
	int64_t captured_at, received_at;
	unsigned char evidence[32]; /* SHA-256 of the content, key of KIND_EVIDENCE */
	uint32_t n_rows;
};

/** Since when a host has an element, where that is later than the host's `enrolled_at`. */
struct host_attach {
	element_id element;
	int64_t at;
};

/** Which of a host's two sets. */
enum { HOST_OS_SET, HOST_LANGUAGE_SET, HOST_N_SETS };

/** Why a host is not scanned although it is there. */
enum host_state {
	HOST_ACTIVE,
	HOST_EXCLUDED,   /* the tag InspectorEc2Exclusion is set */
	HOST_DISABLED,   /* EC2 scanning is off in its account */
	HOST_TERMINATED, /* deregistered; kept until its findings are deleted */
};

/** A host. Strings and arrays lie behind it, in one piece of memory. */
struct fleet_host {
	uint64_t number; /* for ever, from 1; below 2^32 */
	int64_t account;
	char id[18]; /* 17 lower-case hexadecimal digits */
	bool is_ec2; /* shown as i-<id> by ssm, else as mi-<id> */
	enum host_state state;
	int64_t state_at; /* since when it is in this state */
	int64_t registered_at;
	int64_t enrolled_at;    /* first inventory; 0 before it */
	int64_t eligible_since; /* when it last became HOST_ACTIVE */
	int64_t changed_at;     /* when its sets last changed */
	int64_t covered_since;  /* when the present interval of usage began; 0 when none is open */
	uint32_t sets[HOST_N_SETS];         /* numbers; 0 is the empty set */
	const struct host_attach *attached; /* sorted by element */
	size_t n_attached;
	const struct host_item *items; /* sorted by type */
	size_t n_items;
	const struct pair *tags; /* set through the API; sorted by key */
	size_t n_tags;
	/* What it and its agent tell of themselves, sorted by key: the members of
	   UpdateInstanceInformation and of the first row of AWS:InstanceInformation by their names
	   ("AgentVersion", "PlatformName", "IPAddress", "ComputerName", ...), and our own upload's
	   "Os.Id", "Os.Version", "Os.Codename", "Kernel", "Arch". Never tags. */
	const struct pair *facts;
	size_t n_facts;
	uint32_t day, day_bytes; /* metered content that was taken on a day; days since 1970 UTC */
	/* Changed in place, by any thread. */
	_Atomic int64_t seen_at; /* last accepted report of packages, hash-only ones too */
	_Atomic int64_t ping_at; /* last sign of life of its agent; not durable */
};

/** The bucket of a host's records. */
int host_bucket(uint64_t number);

/** The value of a fact or of a tag; empty when there is none. */
str host_fact(const struct fleet_host *host, const char *key);

/** Is the tag set, and what is its value? `ret_value` may be NULL. */
bool host_tag(const struct fleet_host *host, str key, str *ret_value);

/** The item of a type; NULL when there is none. */
const struct host_item *host_item(const struct fleet_host *host, str type);

/**
 * Which distribution and release a host runs, from its facts: Os.* when our own upload gave them,
 * else PlatformName and PlatformVersion as stock agents write them ("Debian GNU/Linux" "12",
 * "Amazon Linux" "2023").
 *
 * Out:     ret  os_ fields; they borrow from the host, or are static; empty when it is unknown
 */
void host_os(const struct fleet_host *host, struct host *ret);

/** Write a host's record for the store: everything but attached, seen_at and ping_at. */
void host_write(const struct fleet_host *host, struct buf *out);

/**
 * Read a host's record.
 *
 * Out:     ret  caller releases with host_free(); without what host_write() leaves out
 * Returns: 0; -ERR_FORMAT; -ERR_UNSUPPORTED when a newer program wrote it; -ENOMEM
 */
int host_read(
        uint64_t number, int64_t account, str record, struct fleet_host **ret, struct err *err);

/** Release. NULL is a no-op. */
void host_free(struct fleet_host *host);
