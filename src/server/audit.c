/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log: records that are written with the change they tell of, and never changed. */
#include "fleet/kinds.h"
#include "server/inside.h"

static void put_be64(struct buf *out, uint64_t v)
{
	for (int i = 7; i >= 0; i--)
		buf_add_byte(out, (char)(unsigned char)(v >> (8 * i)));
}

void audit_add(struct server *server, const struct request *request, const char *what, str object,
        struct store_batch *batch)
{
	autobuf text = BUF((size_t)8 << 10), key = BUF(16);
	struct json_writer w = JSON_WRITER(&text, false);
	json_write_object(&w);
	write_time(&w, "at", request->now_at);
	json_write_member_str(&w, "who", request->caller.arn);
	json_write_member_str(&w, "key", request->caller.key_id);
	json_write_member_str(&w, "from", request->peer);
	json_write_member_str(&w, "request", str_from_c(request->id));
	json_write_member_str(&w, "what", str_from_c(what));
	json_write_member_str(&w, "object", str_head(object, 1024));
	json_write_object_end(&w);
	put_be64(&key, (uint64_t)request->now_ms);
	put_be64(&key, atomic_fetch_add(&server->inside->n_audit, 1));
	if (buf_failed(&text) || buf_failed(&key))
		batch->failed = batch->failed ? batch->failed : -ERR_LIMIT;
	store_batch_put(batch,
	        (struct store_key){ .account = request->caller.account,
	                .kind = KIND_AUDIT,
	                .key = buf_str(&key) },
	        buf_str(&text));
}
