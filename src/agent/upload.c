/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/upload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "net/reader.h"

#define CHUNK_MAX_BYTES (UINT64_C(768) << 10)
#define ROUNDS_MAX 400 /* pieces of one upload, those that are sent again included */

struct sending {
	struct service *service;
	const struct upload *upload;
	char id[37];
	uint64_t chunk, next;
};

/* An answer as a value, and what its status means. */
static int read_answer(const struct net_call_answer *answer, struct arena *arena,
        const struct value **ret, struct err *err)
{
	*ret = NULL;
	(void)reader_json(answer->body, arena, ret, NULL);
	if (answer->status == 200)
		return *ret ? 0 : err_set(err, -EPROTO, "the upload's answer is no JSON");
	str type = net_call_header(answer, STR("x-amzn-errortype"));
	str message = value_get_str(*ret, STR("message"));
	bool is_later = answer->status >= 500 || answer->status == 429 ||
	                str_has_prefix(type, STR("ThrottlingException")) ||
	                str_has_prefix(type, STR("ConflictException"));
	bool is_unknown = str_has_prefix(type, STR("UnknownOperation")) ||
	                  (answer->status == 404 && type.n == 0);
	return err_set(err,
	        is_unknown ? -EOPNOTSUPP
	        : is_later ? -EAGAIN
	                   : -EREMOTEIO,
	        "the upload is refused with %u " STR_FMT ": " STR_FMT, answer->status,
	        STR_ARG(str_head(type, 60)), STR_ARG(str_head(message, 120)));
}

/* Announce it. Returns: 1 it is wanted; 0 it is not; a class */
static int announce(struct sending *s, struct err *err)
{
	struct arena arena = ARENA(1u << 20);
	autobuf body = BUF(1024);
	struct json_writer w = JSON_WRITER(&body, false);
	struct net_call_answer answer;
	const struct value *v = NULL;
	json_write_object(&w);
	json_write_member_str(&w, "InstanceId", str_from_c(s->service->instance));
	json_write_member_str(&w, "CaptureTime", str_from_c(s->upload->captured));
	json_write_member_str(&w, "ContentHash", str_from_c(s->upload->sha256));
	json_write_key(&w, "CompressedBytes");
	json_write_u64(&w, s->upload->packed_bytes);
	json_write_key(&w, "Bytes");
	json_write_u64(&w, s->upload->bytes);
	json_write_member_str(&w, "Encoding", STR("zstd"));
	json_write_object_end(&w);
	int r = service_rest(s->service, "POST", STR("/sonde/uploads"), buf_str(&body), true,
	        &arena, &answer, err);
	if (r == 0)
		r = read_answer(&answer, &arena, &v, err);
	if (r == 0 && str_eq(value_get_str(v, STR("Status")), STR("SEND"))) {
		str id = value_get_str(v, STR("UploadId"));
		int64_t chunk = value_get_i64(v, STR("ChunkBytes"), 0);
		int64_t next = value_get_i64(v, STR("NextOffset"), -1);
		bool is_id = id.n == sizeof(s->id) - 1;
		for (size_t i = 0; i < id.n; i++)
			is_id &= is_alnum(id.p[i]) || id.p[i] == '-';
		if (!is_id || chunk < 1 || next < 0) {
			r = err_set(err, -EPROTO, "the upload's answer makes no sense");
		} else {
			memcpy(s->id, id.p, id.n);
			s->chunk = (uint64_t)chunk < CHUNK_MAX_BYTES ? (uint64_t)chunk
			                                             : CHUNK_MAX_BYTES;
			s->next = (uint64_t)next;
			r = 1;
		}
	}
	arena_fini(&arena);
	return r;
}

static int send_piece(struct sending *s, char *piece, struct err *err)
{
	struct arena arena = ARENA(1u << 20);
	uint64_t left = s->upload->packed_bytes - s->next;
	size_t n = (size_t)(left < s->chunk ? left : s->chunk);
	struct net_call_answer answer;
	const struct value *v = NULL;
	str path;
	if (pread(s->upload->fd, piece, n, (off_t)s->next) != (ssize_t)n)
		return err_set(err, -EIO, "the inventory cannot be read back");
	int r = arena_printf(&arena, &path, "/sonde/uploads/%s/%" PRIu64, s->id, s->next);
	if (r == 0)
		r = service_rest(
		        s->service, "PUT", path, (str){ piece, n }, false, &arena, &answer, err);
	if (r == 0)
		r = read_answer(&answer, &arena, &v, err);
	int64_t next = value_get_i64(v, STR("NextOffset"), -1);
	if (r == 0 && (next < 0 || (uint64_t)next > s->upload->packed_bytes))
		r = err_set(err, -EPROTO, "the upload's answer makes no sense");
	if (r == 0)
		s->next = (uint64_t)next;
	arena_fini(&arena);
	return r;
}

static int complete(struct sending *s, struct err *err)
{
	struct arena arena = ARENA(1u << 20);
	struct net_call_answer answer;
	const struct value *v = NULL;
	str path;
	int r = arena_printf(&arena, &path, "/sonde/uploads/%s/complete", s->id);
	if (r == 0)
		r = service_rest(s->service, "POST", path, STR("{}"), true, &arena, &answer, err);
	if (r == 0)
		r = read_answer(&answer, &arena, &v, err);
	arena_fini(&arena);
	return r;
}

int upload_send(
        struct service *service, const struct upload *upload, bool *ret_is_sent, struct err *err)
{
	struct sending sending = { .service = service, .upload = upload };
	autofree char *piece = malloc((size_t)CHUNK_MAX_BYTES);
	if (!piece)
		return err_set(err, -ENOMEM, "out of memory");
	int r = announce(&sending, err);
	*ret_is_sent = r == 1;
	if (r != 1)
		return r;
	r = 0;
	for (int i = 0; r == 0 && sending.next < upload->packed_bytes; i++)
		r = i < ROUNDS_MAX ? send_piece(&sending, piece, err)
		                   : err_set(err, -EPROTO, "the server takes no end of pieces");
	return r < 0 ? r : complete(&sending, err);
}
