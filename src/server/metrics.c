/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus text format, version 0.0.4. No label holds anything from outside. */
#include <inttypes.h>

#include "server/inside.h"

void metrics_count(
        struct server *server, const struct operation_shape *shape, int status, uint64_t us)
{
	struct server_inside *inside = server->inside;
	size_t n, i;
	const struct operation_shape *all = operation_all(&n);
	struct operation_counts *counts = &inside->counts[shape ? (size_t)(shape - all) : n];
	_Atomic uint64_t *by_status = status < 400   ? &counts->good
	                              : status < 500 ? &counts->refused
	                                             : &counts->failed;
	atomic_fetch_add_explicit(by_status, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&counts->us, us, memory_order_relaxed);
	for (i = 0; i + 1 < LATENCY_STEPS && us >= LATENCY_STEP_US(i);)
		i++;
	atomic_fetch_add_explicit(&counts->steps[i], 1, memory_order_relaxed);
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

struct gauge {
	const char *name, *type, *help;
	uint64_t value;
};

static void write_gauges(struct buf *out, const struct gauge *gauges, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		head(out, gauges[i].name, gauges[i].type, gauges[i].help);
		buf_printf(out, "%s %" PRIu64 "\n", gauges[i].name, gauges[i].value);
	}
}

static void write_http(struct server *server, struct buf *out)
{
	struct http_stats s;
	if (!server->inside->http)
		return;
	http_stats(server->inside->http, &s);
	const struct gauge gauges[] = {
		{ "sonde_http_connections", "gauge", "open connections", s.connections },
		{ "sonde_http_connections_total", "counter", "accepted connections", s.accepted },
		{ "sonde_http_connections_refused_total", "counter", "connections beyond the limit",
		        s.refused_connections },
		{ "sonde_http_handshakes_failed_total", "counter", "TLS handshakes that failed",
		        s.failed_handshakes },
		{ "sonde_http_requests_total", "counter", "well-formed requests", s.requests },
		{ "sonde_http_requests_bad_total", "counter", "malformed or oversized requests",
		        s.bad_requests },
		{ "sonde_http_timeouts_total", "counter", "connections that were too slow",
		        s.timeouts },
		{ "sonde_http_overloads_total", "counter", "requests refused for want of room",
		        s.overloads },
		{ "sonde_http_queued", "gauge", "requests that wait for a worker", s.queued },
		{ "sonde_http_parked", "gauge", "requests that wait for an event", s.parked },
		{ "sonde_http_body_bytes_in_total", "counter", "bytes of request bodies",
		        s.body_bytes_in },
		{ "sonde_http_body_bytes_out_total", "counter", "bytes of replies",
		        s.body_bytes_out },
	};
	write_gauges(out, gauges, sizeof(gauges) / sizeof(*gauges));
}

static void write_store(struct server *server, struct buf *out)
{
	struct store_stats s;
	uint64_t sum = 0;
	store_stats(server->store, &s);
	const struct gauge gauges[] = {
		{ "sonde_store_commits_total", "counter", "batches that are durable", s.commits },
		{ "sonde_store_commits_refused_total", "counter",
		        "batches whose expectation did not hold", s.refused },
		{ "sonde_store_commits_failed_total", "counter", "batches that failed", s.failed },
		{ "sonde_store_groups_total", "counter", "transactions", s.groups },
		{ "sonde_store_records_total", "counter", "records written", s.records },
		{ "sonde_store_bytes_total", "counter", "bytes written", s.bytes },
		{ "sonde_store_waiting", "gauge", "batches that wait", s.waiting },
		{ "sonde_store_wal_bytes", "gauge", "size of the log", s.wal_bytes },
		{ "sonde_store_file_bytes", "gauge", "size of the store", s.file_bytes },
		{ "sonde_store_checkpoints_failed_total", "counter", "checkpoints that failed",
		        s.checkpoints_failed },
	};
	write_gauges(out, gauges, sizeof(gauges) / sizeof(*gauges));
	head(out, "sonde_store_commit_seconds", "histogram", "time to make a batch durable");
	for (size_t i = 0; i < STORE_STEPS; i++) {
		sum += s.sync_steps[i];
		if (i + 1 < STORE_STEPS)
			buf_printf(out,
			        "sonde_store_commit_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
			        (double)STORE_STEP_US(i) / 1e6, sum);
	}
	buf_printf(out,
	        "sonde_store_commit_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n"
	        "sonde_store_commit_seconds_sum %g\nsonde_store_commit_seconds_count %" PRIu64 "\n",
	        sum, (double)s.sync_us / 1e6, sum);
}

static void write_fleet(struct server *server, struct buf *out)
{
	struct fleet_stats s;
	if (!server->fleet)
		return;
	fleet_stats(server->fleet, &s);
	const struct gauge gauges[] = {
		{ "sonde_fleet_hosts", "gauge", "hosts", s.n_hosts },
		{ "sonde_fleet_elements", "gauge", "distinct package versions", s.n_elements },
		{ "sonde_fleet_sets", "gauge", "distinct package sets", s.n_sets },
		{ "sonde_fleet_issues", "gauge", "vulnerabilities that affect a package",
		        s.n_issues },
		{ "sonde_fleet_matches", "gauge", "package versions by vulnerability",
		        s.n_matches },
		{ "sonde_fleet_closed", "gauge", "closed findings that are kept", s.n_closed },
		{ "sonde_fleet_hosts_by_name", "gauge",
		        "hosts with packages that are matched by their own names only",
		        s.n_hosts_by_name },
		{ "sonde_fleet_packages_by_name", "gauge",
		        "packages whose source packages are not known, and should be",
		        s.n_packages_by_name },
		{ "sonde_generation", "gauge", "number of the present generation of matches",
		        s.generation },
		{ "sonde_fleet_reports_total", "counter", "inventories taken", s.n_reports },
		{ "sonde_fleet_reports_hash_only_total", "counter", "inventories without content",
		        s.n_hash_only },
		{ "sonde_fleet_reports_stale_total", "counter", "inventories that came too late",
		        s.n_stale },
		{ "sonde_fleet_renewals_total", "counter", "exchanges of vulnerability data",
		        s.n_renewals },
		{ "sonde_fleet_renewal_microseconds", "gauge", "duration of the last exchange",
		        s.renew_us },
	};
	write_gauges(out, gauges, sizeof(gauges) / sizeof(*gauges));
}

static void write_clones(struct server *server, struct buf *out)
{
	const struct gauge gauges[] = {
		{ "sonde_clones_total", "counter",
		        "calls of machines that are copies of a host; the log says of which",
		        atomic_load_explicit(&server->inside->n_clones, memory_order_relaxed) },
	};
	write_gauges(out, gauges, sizeof(gauges) / sizeof(*gauges));
}

/* Operations that were called, by their names; index n_operations is what was none. */
static void write_counts(struct server *server, struct buf *out)
{
	static const struct {
		const char *outcome;
		size_t at;
	} outcomes[] = {
		{ "good", offsetof(struct operation_counts, good) },
		{ "refused", offsetof(struct operation_counts, refused) },
		{ "failed", offsetof(struct operation_counts, failed) },
	};
	const struct server_inside *inside = server->inside;
	size_t n;
	const struct operation_shape *all = operation_all(&n);
	head(out, "sonde_operations_total", "counter", "calls by operation and outcome");
	for (size_t i = 0; i <= n; i++) {
		for (size_t k = 0; k < 3; k++) {
			const char *base = (const char *)&inside->counts[i];
			uint64_t v = atomic_load_explicit(
			        (const _Atomic uint64_t *)(const void *)(base + outcomes[k].at),
			        memory_order_relaxed);
			if (v > 0)
				buf_printf(out,
				        "sonde_operations_total{service=\"%s\",operation=\"%s\","
				        "outcome=\"%s\"} %" PRIu64 "\n",
				        i < n ? all[i].service : "none",
				        i < n ? all[i].name : "none", outcomes[k].outcome, v);
		}
	}
}

static void write_latency(struct buf *out, const struct operation_counts *counts,
        const char *service, const char *operation)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < LATENCY_STEPS; i++) {
		char le[32] = "+Inf";
		if (i + 1 < LATENCY_STEPS)
			(void)snprintf(le, sizeof(le), "%g", (double)LATENCY_STEP_US(i) / 1e6);
		sum += atomic_load_explicit(&counts->steps[i], memory_order_relaxed);
		buf_printf(out,
		        "sonde_operation_seconds_bucket{service=\"%s\",operation=\"%s\",le=\"%s\"} "
		        "%" PRIu64 "\n",
		        service, operation, le, sum);
	}
	buf_printf(out,
	        "sonde_operation_seconds_sum{service=\"%s\",operation=\"%s\"} %g\n"
	        "sonde_operation_seconds_count{service=\"%s\",operation=\"%s\"} %" PRIu64 "\n",
	        service, operation,
	        (double)atomic_load_explicit(&counts->us, memory_order_relaxed) / 1e6, service,
	        operation, sum);
}

void metrics_write(struct server *server, struct buf *out)
{
	const struct server_inside *inside = server->inside;
	size_t n;
	const struct operation_shape *all = operation_all(&n);
	write_http(server, out);
	write_store(server, out);
	write_fleet(server, out);
	write_clones(server, out);
	write_counts(server, out);
	head(out, "sonde_operation_seconds", "histogram", "duration of calls");
	for (size_t i = 0; i <= n; i++) {
		if (atomic_load_explicit(&inside->counts[i].us, memory_order_relaxed) > 0)
			write_latency(out, &inside->counts[i], i < n ? all[i].service : "none",
			        i < n ? all[i].name : "none");
	}
}
