/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Who reports: the id of this machine, and where and with which credentials its reports go, found
 * where the tools of AWS look for them.
 *
 * In this order: the environment; the shared files of credentials and configuration; for the
 * endpoint, the configuration of amazon-ssm-agent; the metadata service of an EC2 instance.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "net/call.h"

/** Where credentials were found. */
enum account_source {
	ACCOUNT_NONE,
	ACCOUNT_ENVIRONMENT,
	ACCOUNT_FILE,
	ACCOUNT_ROLE, /* of the EC2 instance */
};

/** What the caller knows of its environment. */
struct account_environment {
	/** The value of a variable; NULL when it is not set. */
	const char *(*get)(const char *name);
};

/** An account. Strings are the arena's. */
struct account {
	str instance;      /* "i-…" or "mi-…" */
	str instance_type; /* empty when unknown */
	str region, endpoint;
	const char *ca_file; /* NULL: the system's */
	str key_id, secret, session_token;
	enum account_source source;
};

/**
 * Find it.
 *
 * Variables: AWS_SSM_INSTANCE_ID, AWS_REGION (AWS_DEFAULT_REGION, AWS_SSM_REGION_NAME),
 * AWS_ENDPOINT_URL_SSM (AWS_ENDPOINT_URL), AWS_CA_BUNDLE, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
 * AWS_SESSION_TOKEN, AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE, HOME,
 * AWS_EC2_METADATA_DISABLED, AWS_EC2_METADATA_SERVICE_ENDPOINT; SONDE_PLUGIN_AGENT_CONFIG, the file
 * that is read instead of /etc/amazon/ssm/amazon-ssm-agent.json.
 *
 * Out:     ret  its strings live in the arena; written on success only
 * Returns: 0; -ENOENT when something is nowhere to be found, with what; -ERR_LIMIT
 * Cost:    asks the metadata service when nothing else knows: seconds, where there is none
 * Source:  AWS SDKs and Tools Reference Guide, "Environment variables", "Shared config and
 *          credentials files", "IMDS credential provider"
 */
int account_find(const struct account_environment *environment, struct arena *arena,
        struct account *ret, struct err *err);

/** How a call of it is signed. Borrows. */
struct net_sign account_sign(const struct account *account);

/** Where credentials came from, as the log says it. Static. */
const char *account_source_text(enum account_source source);
