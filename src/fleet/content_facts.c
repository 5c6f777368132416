/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types that tell of the host and not of its packages: the first row of each becomes facts. The
 * host's id in AWS:InstanceInformation is not asked: its credential says who it is.
 */
#include "fleet/content_rows.h"

struct instance {
	str agent_status, agent_type, agent_version, computer_name, address, platform_name,
	        platform_type, platform_version;
};

static const struct column instance_columns[] = {
	COLUMN(struct instance, "AgentStatus", agent_status),
	COLUMN(struct instance, "AgentType", agent_type),
	COLUMN(struct instance, "AgentVersion", agent_version),
	COLUMN(struct instance, "ComputerName", computer_name),
	COLUMN(struct instance, "IpAddress", address),
	COLUMN(struct instance, "PlatformName", platform_name),
	COLUMN(struct instance, "PlatformType", platform_type),
	COLUMN(struct instance, "PlatformVersion", platform_version),
};

/* A member that is not there deletes nothing: UpdateInstanceInformation may have told it. */
static void told(struct content_job *job, const char *key, str value)
{
	if (value.n > 0)
		content_fact(job, key, value);
}

static void take_instance(struct content_job *job, void *at)
{
	const struct instance *row = at;
	if (job->row != 1)
		return;
	told(job, "AgentStatus", row->agent_status);
	told(job, "AgentType", row->agent_type);
	told(job, "AgentVersion", row->agent_version);
	told(job, "ComputerName", row->computer_name);
	told(job, "IPAddress", row->address);
	told(job, "PlatformName", row->platform_name);
	told(job, "PlatformType", row->platform_type);
	told(job, "PlatformVersion", row->platform_version);
}

static void read_instance(struct content_job *job)
{
	struct instance row;
	content_rows(job, ROW_FORM(row, instance_columns), &row, take_instance);
}

const struct content_type content_instance = {
	.type = STR(CONTENT_INSTANCE),
	.read = read_instance,
};

struct detailed {
	str kernel;
};

static const struct column detailed_columns[] = {
	COLUMN(struct detailed, "KernelVersion", kernel),
};

static void take_detailed(struct content_job *job, void *at)
{
	const struct detailed *row = at;
	if (job->row == 1)
		told(job, "Kernel", row->kernel);
}

static void read_detailed(struct content_job *job)
{
	struct detailed row;
	content_rows(job, ROW_FORM(row, detailed_columns), &row, take_detailed);
}

const struct content_type content_detailed = {
	.type = STR("AWS:InstanceDetailedInformation"),
	.read = read_detailed,
};

struct metrics {
	str time_limit, package_limit;
};

static const struct column metrics_columns[] = {
	COLUMN(struct metrics, "TimeLimitReached", time_limit),
	COLUMN(struct metrics, "PackageLimitReached", package_limit),
};

/* A limit that a run did not reach is not reached any more. */
static void tell_limit(struct content_job *job, const char *key, str word)
{
	content_fact(job, key, str_eq_nocase(word, STR("true")) ? STR("true") : STR(""));
}

static void take_metrics(struct content_job *job, void *at)
{
	const struct metrics *row = at;
	/* A run that failed before it had scanned knows of no limits: nothing changes. */
	if (job->row != 1 || (row->time_limit.n == 0 && row->package_limit.n == 0))
		return;
	tell_limit(job, FACT_TIME_LIMIT, row->time_limit);
	tell_limit(job, FACT_PACKAGE_LIMIT, row->package_limit);
}

static void read_metrics(struct content_job *job)
{
	struct metrics row;
	content_rows(job, ROW_FORM(row, metrics_columns), &row, take_metrics);
}

const struct content_type content_metrics = {
	.type = STR(CONTENT_METRICS),
	.read = read_metrics,
};
