/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * server: the control plane. Knows the store, the fleet and the objects; answers requests by the
 * rows of operations.def.
 */

#include "aws/crypto.h"
#include "base/err.h"
#include "fleet/fleet.h"
#include "server/caller.h"
#include "server/object.h"
#include "server/request.h"
#include "store/store.h"

/** One server, for the life of the process. */
struct server {
	struct store *store;
	struct objects *objects;
	struct fleet *fleet; /* NULL while only the store is open: in commands */
	struct crypto *crypto;
	str data_dir;   /* --data: store, exports, packages */
	str public_url; /* how hosts reach it: "http://127.0.0.1:8443", for package URLs */
	unsigned char arn_key[16];    /* finding ARNs; made at init, kept in the store */
	unsigned char token_key[32];  /* page tokens */
	unsigned char secret_key[32]; /* secrets at rest */
	struct details *details;      /* long texts of the vulnerability data */
	struct pins *pins;            /* generations that page tokens hold */
	struct uploads *uploads;      /* inventories on their way in: server/upload.h */
	struct server_inside *inside; /* locks, key cache, http, counters: server/inside.h */
};

/** Milliseconds since 1970 UTC, as this server's clock says. */
int64_t server_now_ms(const struct server *server);

/** Hold back other changes of an account's objects. One thread at a time has it; not recursive.
 * Taken before any lock of the fleet. */
void account_lock(struct server *server, int64_t account);

/** Let others change again. */
void account_unlock(struct server *server, int64_t account);

/** Run deferred requests that wait for `key` again. */
void server_wake(struct server *server, uint64_t key);

/** The key under which a host's message poll waits. */
uint64_t server_host_key(uint64_t host_number);

/* ---- accounts ---- */

/** What the server keeps of an account. Times are seconds since 1970; 0 for never. */
struct account {
	int64_t number;
	str name, email;
	int64_t organisation; /* its management account; its own number for that one; 0: none */
	int64_t created_at, joined_at;
	bool is_legacy;      /* made in the old state: deep inspection stays off until asked for */
	bool is_ec2_enabled; /* EC2 scanning */
	bool is_ecr_enabled, is_lambda_enabled, is_lambda_code_enabled, is_code_enabled;
	int64_t enabled_at;
	bool is_hybrid;      /* scan mode EC2_HYBRID; else EC2_SSM_AGENT_BASED */
	bool is_deep_active; /* deep inspection */
	str deep_error;      /* why it could not be activated; empty */
	str paths[5];        /* own */
	size_t n_paths;
	bool is_member; /* associated with the delegated administrator */
	int64_t member_at;
	str ecr_rescan;     /* "LIFETIME", ... */
	bool inherits_mode; /* scan mode comes from the delegated administrator */
};

/** What the server keeps of an organisation, in the object "organisation" of its management
 * account. */
struct organisation {
	str id;                        /* "o-..." */
	int64_t management, delegated; /* delegated administrator; 0 for none */
	str paths[5];
	size_t n_paths;
	bool auto_ec2, auto_ecr, auto_lambda, auto_lambda_code, auto_code;
};

/** Read an account. Returns: 0; -ENOENT; -ERR_LIMIT */
int account_get(struct server *server, int64_t number, struct arena *arena, struct account *ret);

/** The change that writes an account, for objects_change(). Returns: 0; -ERR_LIMIT */
int account_change(const struct account *account, struct arena *arena, struct object_change *ret);

/** Read an organisation by its management account; as account_get(). */
int organisation_get(
        struct server *server, int64_t management, struct arena *arena, struct organisation *ret);

/** As account_change(). */
int organisation_change(
        const struct organisation *organisation, struct arena *arena, struct object_change *ret);

/** Every account, sorted by number. Returns: 0; -ERR_LIMIT */
int account_list(
        struct server *server, struct arena *arena, const struct account **ret, size_t *ret_count);

/**
 * The accounts whose findings, coverage and usage a caller sees: its own, and for the delegated
 * administrator also its members; of these, those in which any kind of scanning is on. Of an
 * account that was disabled nothing is shown any more.
 *
 * Out:     ret, ret_count  arena; sorted; may be none
 * Returns: 0; -ERR_LIMIT
 */
int caller_accounts(struct server *server, const struct caller *caller, struct arena *arena,
        const int64_t **ret, size_t *ret_count);

/** May the caller look at (or change, as the delegated administrator may) this account? For every
 * element of a batch. */
bool caller_sees(struct server *server, const struct caller *caller, int64_t account);

/**
 * Bring about what an account's settings ask for: the documents, associations and parameter of deep
 * inspection are there when EC2 scanning is on (and again if somebody deleted them) and gone when
 * it is off; its hosts are eligible or not. Called after each change and from time to time.
 *
 * Threads: without account_lock()
 * Returns: 0; 1 when more hosts are to be changed, which another call does; what the store says
 */
int account_reconcile(struct server *server, int64_t account, int64_t now_at, struct err *err);

/** The roots that an account's hosts walk besides the defaults: organisation's, then own. Arena.
 * Returns: how many (0 .. 10); -ERR_LIMIT */
int account_effective_paths(
        struct server *server, const struct account *account, struct arena *arena, const str **ret);

/** The parameter that hands the custom paths of deep inspection to hosts: the object "parameter" of
 * that name, a StringList separated by commas, or NO_PATHS_DEFINED. */
#define PATHS_PARAMETER "/inspector-aws/service/inspector-linux-application-paths"

/* ---- hosts ---- */

/** The tag that excludes a host from scanning, whatever its value. */
#define EXCLUSION_TAG "InspectorEc2Exclusion"

/** The state that a host is to have, by its tags and its account's settings. In: host NULL for one
 * that is about to be taken up. */
enum host_state host_state_of(const struct fleet_host *host, bool is_ec2_enabled);

/** Room for "mi-" or "i-" and 17 digits. */
struct host_text {
	char text[24];
};

/** How ssm shows a host: "mi-<id>", or "i-<id>" on EC2. */
struct host_text host_ssm_id(const struct fleet_host *host);

/** How inspector2 and ec2 show a host: "i-<id>". */
struct host_text host_ec2_id(const char *id);

/** The 17 digits of "mi-<id>" or "i-<id>"; borrows. False when it is anything else. */
bool host_id_parse(str text, str *ret_digits);

/**
 * Find a host by either of its names, among the accounts of a caller. Fleet locked.
 *
 * Returns: NULL when there is none, when it is another account's, and when a host asks about
 *          another: these look the same from outside
 */
const struct fleet_host *host_of_caller(struct server *server, const struct caller *caller, str id);

/** Why a host is or is not scanned: ScanStatus, as I understand AWS's pages "Assessing coverage".
 * Words are static. */
struct coverage {
	bool is_active;
	const char *reason;      /* "SUCCESSFUL", "EXCLUDED_BY_TAG", ... */
	int64_t last_scanned_at; /* 0: never */
};

/** The coverage of a host at a moment. Fleet locked. */
struct coverage host_coverage(const struct fleet_host *host, bool is_deep_active, int64_t now_at);

/* ---- names ---- */

/** Room for a finding's ARN. */
struct arn_text {
	char text[128];
};

/** A finding's ARN: its key enciphered, so that it can be resolved without being stored. */
struct arn_text arn_of_finding(const struct server *server, str region, int64_t account,
        uint64_t host, uint32_t vuln, int64_t first_observed);

/** Take a finding's ARN apart. False when it is none of ours, or altered. */
bool arn_parse_finding(const struct server *server, str arn, int64_t *ret_account,
        uint64_t *ret_host, uint32_t *ret_vuln, int64_t *ret_first_observed);

/**
 * Make a page token: opaque, bound to operation, account and criteria, with a check that only this
 * server can make.
 *
 * In:      request  gives operation, account and the digest of its input without token and maximum
 *          mark     what the handler needs to go on; any bytes, at most 2 KB
 * Returns: 0; -ERR_LIMIT
 */
int token_make(const struct request *request, str mark, str *ret);

/** Read the token in member `member` of the input ("nextToken", "NextToken"). Out: ret empty
 * without a token. Returns: 0; -ERR_FORMAT when it is forged, altered, or of another request */
int token_read(const struct request *request, str member, str *ret);

/**
 * Page over a list that is in memory: the slice to show, by offset, and the token for the rest.
 *
 * In:      member    of the token; most: items a page
 * Out:     ret_from, ret_to  the slice; ret_token  arena, empty at the end
 * Returns: 0; -ERR_FORMAT as token_read(); -ERR_LIMIT
 */
int token_slice(const struct request *request, str member, size_t n_items, size_t most,
        size_t *ret_from, size_t *ret_to, str *ret_token);

/** A random UUID, lower case. Returns: 0; -EIO when the system has no random bytes */
int uuid_make(char ret[37]);

/** Write down who changed what: an entry of the audit log, in the batch. */
void audit_add(struct server *server, const struct request *request, const char *what, str object,
        struct store_batch *batch);
