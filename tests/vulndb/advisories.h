/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Small OSV records, written for these tests. */

#define OSV_EVENTS(package, events)                                                                \
	"{\"package\":{\"ecosystem\":\"PyPI\",\"name\":\"" package                                 \
	"\"},\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[" events "]}]}"
#define OSV_RECORD(id, modified, more, affected)                                                   \
	"{\"schema_version\":\"1.6.0\",\"id\":\"" id "\",\"modified\":\"" modified                 \
	"\",\"summary\":\"about " id "\",\"details\":\"details of " id "\"," more                  \
	"\"affected\":[" affected "]}"
#define OSV_PLAIN(id, package)                                                                     \
	OSV_RECORD(id, "2024-01-01T00:00:00Z", "",                                                 \
	        OSV_EVENTS(package, "{\"introduced\":\"0\"},{\"fixed\":\"1.0\"}"))
