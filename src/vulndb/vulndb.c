/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/vulndb.h"

#include "vulndb/feed.h"

#define FEED(id) extern const struct feed feed_##id;
#include "vulndb/feeds.def"
#undef FEED

static const struct feed *const feeds[] = {
#define FEED(id) &feed_##id,
#include "vulndb/feeds.def"
#undef FEED
};

#define N_FEEDS (sizeof(feeds) / sizeof(feeds[0]))

const struct feed *feed_find(str name)
{
	for (size_t i = 0; i < N_FEEDS; i++) {
		if (str_eq(name, str_from_c(feeds[i]->name)))
			return feeds[i];
	}
	return NULL;
}

const struct feed *feed_at(size_t i)
{
	return i < N_FEEDS ? feeds[i] : NULL;
}

/* One place per row of feeds.def. */
enum {
#define FEED(id) FEED_##id,
#include "vulndb/feeds.def"
#undef FEED
};

const struct feed_info *feed_all(size_t *ret_count)
{
	static const struct feed_info infos[N_FEEDS] = {
		[FEED_osv] = { .name = "osv",
		        .title = "OSV.dev: open source vulnerabilities",
		        .url = "https://storage.googleapis.com/osv-vulnerabilities/{ECOSYSTEM}/"
		               "all.zip",
		        .list_url =
		                "https://storage.googleapis.com/osv-vulnerabilities/ecosystems.txt",
		        .licence = "each record under the licence of the database it comes from: "
		                   "CC-BY-4.0 "
		                   "for most (GitHub, PyPA, Go, OSS-Fuzz), CC-BY-SA-4.0 (Ubuntu), "
		                   "CC0-1.0 "
		                   "(RustSec, Haskell), MIT (AlmaLinux, BellSoft), Apache-2.0 "
		                   "(Bitnami, R)",
		        .format =
		                "Open Source Vulnerability format 1.7, ossf.github.io/osv-schema" },
		[FEED_epss] = { .name = "epss",
		        .title = "FIRST EPSS: exploit prediction scores",
		        .url = "https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
		        .licence = "FIRST EPSS data: free use with attribution (first.org/epss)",
		        .format = "EPSS data, first.org/epss/data_stats" },
		[FEED_kev] = { .name = "kev",
		        .title = "CISA: known exploited vulnerabilities",
		        .url = "https://www.cisa.gov/sites/default/files/feeds/"
		               "known_exploited_vulnerabilities.json",
		        .licence = "CC0-1.0 (CISA)",
		        .format = "CISA KEV catalog schema, "
		                  "known_exploited_vulnerabilities_schema.json" },
	};
	*ret_count = N_FEEDS;
	return infos;
}

const char *reason_name(enum reason reason)
{
	switch (reason) {
	case REASON_USED: return "used";
	case REASON_NOT_JSON: return "not JSON";
	case REASON_NO_ID: return "no usable id";
	case REASON_WITHDRAWN: return "withdrawn";
	case REASON_MALICIOUS: return "malicious package";
	case REASON_NO_PACKAGE: return "names no package";
	case REASON_ONLY_GIT: return "only GIT ranges";
	case REASON_NO_RANGE: return "no ranges and no versions";
	case REASON_BAD_EVENT: return "no usable event";
	case REASON_TOO_LARGE: return "too large";
	case REASON_DUPLICATE: return "duplicate";
	case REASON_UNREADABLE: return "unreadable";
	case REASON_BAD_ROW: return "bad row";
	case REASON_COUNT: break;
	}
	return "";
}
