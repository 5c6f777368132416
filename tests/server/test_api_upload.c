/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <zstd.h>

#include "base/hash.h"
#include "server/api.h"
#include "server/upload.h"

#define ID "mi-00000000000000001"
#define T1 "2023-11-14T10:00:00Z"
#define T2 "2023-11-14T11:00:00Z"

static const char *call(struct bare *bare, const char *name,
        int (*handle)(struct request *, struct response *), const char *input)
{
	return bare_call(bare, &bare->host, "sonde", name, handle, input);
}

static const char *report_of(struct bare *bare, const char *version)
{
	str text;
	assert_int_equal(
	        arena_printf(&bare->arena, &text,
	                "{\"schema\":\"sonde.scan/1\",\"host\":{\"os_id\":\"debian\","
	                "\"os_version\":\"12\",\"os_codename\":\"bookworm\"},\"packages\":["
	                "{\"type\":\"deb\",\"name\":\"libssl3\",\"version\":\"%s\","
	                "\"arch\":\"amd64\",\"source_name\":\"openssl\",\"path\":"
	                "\"/var/lib/dpkg/status\",\"reader\":\"deb\",\"confidence\":"
	                "\"high\"}]}",
	                version),
	        0);
	return text.p;
}

static const char *start(
        struct bare *bare, const char *id, const char *time, str text, size_t packed)
{
	char hex[SHA256_HEX_SIZE];
	str input;
	hash_sha256_hex(text, hex);
	assert_int_equal(arena_printf(&bare->arena, &input,
	                         "{\"InstanceId\":\"%s\",\"CaptureTime\":\"%s\",\"ContentHash\":"
	                         "\"%s\",\"CompressedBytes\":%zu,\"Bytes\":%zu,\"Encoding\":"
	                         "\"zstd\"}",
	                         id, time, hex, packed, text.n),
	        0);
	return call(bare, "StartUpload", api_start_upload, input.p);
}

static const char *chunk(struct bare *bare, str id, size_t offset, str bytes)
{
	str input;
	assert_int_equal(
	        arena_printf(&bare->arena, &input, "{\"uploadId\":\"" STR_FMT "\",\"offset\":%zu}",
	                STR_ARG(id), offset),
	        0);
	bare->body = bytes;
	const char *answer = call(bare, "PutChunk", api_put_chunk, input.p);
	bare->body = (str){ NULL, 0 };
	return answer;
}

static const char *complete(struct bare *bare, str id)
{
	str input;
	assert_int_equal(
	        arena_printf(&bare->arena, &input, "{\"uploadId\":\"" STR_FMT "\"}", STR_ARG(id)),
	        0);
	return call(bare, "CompleteUpload", api_complete_upload, input.p);
}

static str pack(struct bare *bare, str text)
{
	size_t bound = ZSTD_compressBound(text.n);
	char *to = arena_alloc(&bare->arena, bound, 1);
	assert_non_null(to);
	return (str){ to, ZSTD_compress(to, bound, text.p, text.n, 3) };
}

/* Announce, send and complete. */
static const char *upload(struct bare *bare, const char *time, str text)
{
	str packed = pack(bare, text);
	const struct value *begun = bare_parse(bare, start(bare, ID, time, text, packed.n));
	assert_true(str_eq(value_get_str(begun, STR("Status")), STR("SEND")));
	str id = value_get_str(begun, STR("UploadId"));
	assert_contains(chunk(bare, id, 0, packed), "NextOffset");
	return complete(bare, id);
}

static size_t n_elements(struct bare *bare)
{
	fleet_lock(bare->server.fleet);
	const struct fleet_host *host = fleet_host_at(bare->server.fleet, bare->host.host_number);
	const struct package_set *set =
	        sets_at(fleet_sets(bare->server.fleet), host->sets[HOST_OS_SET]);
	size_t n = set ? set->n_elements : 0;
	fleet_unlock(bare->server.fleet);
	return n;
}

static void test_upload__is_announced_sent_and_taken(void **state)
{
	struct bare *bare = *state;
	str text = str_from_c(report_of(bare, "3.0.11-1"));
	assert_string_equal(upload(bare, T1, text), "{\"Status\":\"TAKEN\"}");
	assert_int_equal(n_elements(bare), 1);
	/* the same again is not sent, also after a restart */
	assert_string_equal(start(bare, ID, T2, text, 100), "{\"Status\":\"CURRENT\"}");
	bare_reopen(bare);
	assert_string_equal(
	        start(bare, "i-00000000000000001", T2, text, 100), "{\"Status\":\"CURRENT\"}");
	assert_int_equal(n_elements(bare), 1);
	assert_contains(
	        bare_call(bare, &bare->reader, "ssm", "ListInventoryEntries",
	                api_list_inventory_entries,
	                "{\"InstanceId\":\"" ID "\",\"TypeName\":\"Custom:SondeInventory\"}"),
	        "\"Entries\":[{\"Name\":\"libssl3\",\"Version\":\"3.0.11-1\",\"Architecture\":"
	        "\"amd64\",\"Type\":\"deb\",\"PackageManager\":\"OS\"");
}

static void test_upload__of_something_older_is_stale(void **state)
{
	struct bare *bare = *state;
	str older = str_from_c(report_of(bare, "1")), newer = str_from_c(report_of(bare, "2"));
	str packed = pack(bare, older);
	const struct value *begun = bare_parse(bare, start(bare, ID, T1, older, packed.n));
	str id = value_get_str(begun, STR("UploadId"));
	assert_contains(chunk(bare, id, 0, packed), "NextOffset");
	assert_string_equal(upload(bare, T2, newer), "{\"Status\":\"TAKEN\"}");
	assert_string_equal(complete(bare, id), "{\"Status\":\"STALE\"}");
	assert_string_equal(complete(bare, id), "{\"Status\":\"STALE\"}");
	assert_string_equal(start(bare, ID, T1, older, packed.n), "{\"Status\":\"STALE\"}");
}

static void test_upload__goes_on_after_an_interruption(void **state)
{
	struct bare *bare = *state;
	str text = str_from_c(report_of(bare, "3")), packed = pack(bare, text);
	const struct value *begun = bare_parse(bare, start(bare, ID, T1, text, packed.n));
	str id = value_get_str(begun, STR("UploadId"));
	assert_string_equal(chunk(bare, id, 0, str_head(packed, 10)), "{\"NextOffset\":10}");
	assert_contains(complete(bare, id), "ConflictException");
	assert_contains(complete(bare, id), "{\"NextOffset\":10}");
	assert_contains(start(bare, ID, T1, text, packed.n), "\"NextOffset\":10");
	assert_contains(chunk(bare, id, 20, STR("x")), "{\"NextOffset\":10}");
	assert_contains(chunk(bare, id, 10, str_skip(packed, 10)), "NextOffset");
	assert_string_equal(complete(bare, id), "{\"Status\":\"TAKEN\"}");
	/* an answer that was lost is given again */
	assert_string_equal(complete(bare, id), "{\"Status\":\"TAKEN\"}");
}

static void test_upload__is_refused_when_it_is_no_inventory(void **state)
{
	struct bare *bare = *state;
	assert_contains(upload(bare, T1, STR("{\"schema\":\"other\"}")), "ValidationException");
	assert_contains(upload(bare, T1, STR("not json")), "ValidationException");
	assert_int_equal(n_elements(bare), 0);
	str text = str_from_c(report_of(bare, "3"));
	const struct value *begun = bare_parse(bare, start(bare, ID, T1, text, 5));
	str id = value_get_str(begun, STR("UploadId"));
	assert_contains(chunk(bare, id, 0, STR("12345")), "NextOffset");
	assert_contains(complete(bare, id), "ValidationException");
	assert_contains(complete(bare, id), "ResourceNotFoundException");
}

static void test_upload__is_of_the_host_itself(void **state)
{
	struct bare *bare = *state;
	str text = str_from_c(report_of(bare, "3"));
	assert_contains(
	        start(bare, "mi-00000000000000002", T1, text, 100), "ResourceNotFoundException");
	assert_contains(start(bare, "i-00000001", T1, text, 100), "ResourceNotFoundException");
	const struct value *begun = bare_parse(bare, start(bare, ID, T1, text, 100));
	str input;
	assert_int_equal(arena_printf(&bare->arena, &input, "{\"uploadId\":\"" STR_FMT "\"}",
	                         STR_ARG(value_get_str(begun, STR("UploadId")))),
	        0);
	assert_contains(bare_call(bare, &bare->other_host, "sonde", "CompleteUpload",
	                        api_complete_upload, input.p),
	        "ResourceNotFoundException");
}

static void test_upload__is_bounded(void **state)
{
	struct bare *bare = *state;
	str text = str_from_c(report_of(bare, "3"));
	assert_contains(start(bare, ID, "2023-11-17T00:00:00Z", text, 100), "ValidationException");
	assert_contains(start(bare, ID, "2023-02-30T00:00:00Z", text, 100), "ValidationException");
	const struct value *begun = bare_parse(bare, start(bare, ID, T1, text, 100));
	str id = value_get_str(begun, STR("UploadId"));
	int64_t most = value_get_i64(begun, STR("ChunkBytes"), 0);
	assert_int_equal(most, UPLOAD_CHUNK_BYTES);
	char *large = calloc(1, (size_t)most + 1);
	assert_contains(
	        chunk(bare, id, 0, (str){ large, (size_t)most + 1 }), "ValidationException");
	assert_contains(chunk(bare, id, 0, (str){ large, 0 }), "ValidationException");
	assert_contains(chunk(bare, id, 0, (str){ large, 101 }), "ConflictException");
	free(large);
	assert_contains(
	        call(bare, "StartUpload", api_start_upload,
	                "{\"InstanceId\":\"" ID "\",\"CaptureTime\":\"" T1 "\",\"ContentHash\":"
	                "\"0000000000000000000000000000000000000000000000000000000000000000\","
	                "\"CompressedBytes\":10,\"Bytes\":500000000,\"Encoding\":\"zstd\"}"),
	        "ValidationException");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bare_setup, bare_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_upload__is_announced_sent_and_taken),
		TEST(test_upload__of_something_older_is_stale),
		TEST(test_upload__goes_on_after_an_interruption),
		TEST(test_upload__is_refused_when_it_is_no_inventory),
		TEST(test_upload__is_of_the_host_itself),
		TEST(test_upload__is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
