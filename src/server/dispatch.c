/* SPDX-License-Identifier: Apache-2.0 */
#include "server/dispatch.h"

#include <stdio.h>
#include <time.h>

#include "aws/protocol.h"
#include "aws/query.h"
#include "aws/rest.h"
#include "base/cleanup.h"
#include "server/auth.h"
#include "server/inside.h"
#include "server/pages.h"

/* Bodies of callers without a known key; of most operations; of those that carry much. */
#define BODY_UNKNOWN_BYTES ((size_t)64 << 10)
#define BODY_BYTES ((size_t)1 << 20)
#define BODY_LARGE_BYTES ((size_t)32 << 20)
/* One answer. */
#define REPLY_BYTES ((size_t)64 << 20)
/* Longest wait of one call, in seconds: at its end the signature is looked at again. */
#define WAIT_MAX_S 240u
_Static_assert(WAIT_MAX_S < SIGV4_SKEW_S, "a signature outlives the wait");
/* Seconds after which a client may try again. */
#define RETRY_AFTER "5"

enum { OF_INSPECTOR, OF_SONDE, OF_SSM };

/* What the services call things that happen in all of them. */
static const struct service {
	const char *name, *target, *denied, *invalid, *unreadable, *unknown, *internal;
	const char *xml; /* the namespace of its answers */
} services[] = {
	[OF_INSPECTOR] = { "inspector2", NULL, "AccessDeniedException", "ValidationException",
	        "ValidationException", "UnknownOperationException", "InternalServerException",
	        NULL },
	[OF_SONDE] = { "sonde", NULL, "AccessDeniedException", "ValidationException",
	        "ValidationException", "UnknownOperationException", "InternalServerException",
	        NULL },
	[OF_SSM] = { "ssm", "AmazonSSM", "AccessDeniedException", "ValidationException",
	        "SerializationException", "UnknownOperationException", "InternalServerError",
	        NULL },
	{ "ec2messages", "EC2WindowsMessageDeliveryService", "AccessDeniedException",
	        "ValidationException", "SerializationException", "UnknownOperationException",
	        "InternalServerException", NULL },
	{ "organizations", "AWSOrganizationsV20161128", "AccessDeniedException",
	        "InvalidInputException", "SerializationException", "UnknownOperationException",
	        "ServiceException", NULL },
	{ "ec2", NULL, "UnauthorizedOperation", "InvalidParameterValue", "InvalidParameterValue",
	        "InvalidAction", "InternalError", "http://ec2.amazonaws.com/doc/2016-11-15/" },
	{ "sts", NULL, "AccessDenied", "ValidationError", "ValidationError", "InvalidAction",
	        "InternalFailure", "https://sts.amazonaws.com/doc/2011-06-15/" },
};

/* Operations whose requests may be large. */
static const struct {
	const char *service, *name;
} large[] = {
	{ "ssm", "PutInventory" },
};

/* Operations whose body is bytes and no document of the protocol. */
static const struct {
	const char *service, *name;
} raw[] = {
	{ "sonde", "PutChunk" },
};

static bool is_raw(const struct operation_shape *shape)
{
	for (size_t i = 0; i < sizeof(raw) / sizeof(*raw); i++) {
		if (strcmp(shape->service, raw[i].service) == 0 &&
		        strcmp(shape->name, raw[i].name) == 0)
			return true;
	}
	return false;
}

/* One call on its way. */
struct call {
	struct server *server;
	struct http_request *http;
	struct http_response *reply;
	const struct caller *given; /* proved otherwise; NULL: by the signature */
	const struct service *service;
	enum protocol protocol;
	const struct operation_shape *shape; /* NULL: no such operation */
	struct rest_route route;
	bool bad_route;
	struct request request;
	struct response response;
	int64_t started_us;
};

static int64_t monotonic_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- answers ---- */

static void put_header(struct call *call, const char *name, str value)
{
	(void)http_response_header(call->reply, str_from_c(name), value);
}

static int answer_error(struct call *call, const char *name, str message, const struct value *extra,
        unsigned status)
{
	struct protocol_error error = { .name = str_from_c(name),
		.message = message,
		.request_id = str_from_c(call->request.id),
		.extra = extra };
	struct protocol_reply how;
	buf_clear(&call->reply->body);
	protocol_write_error(call->protocol, &error, call->service->xml, &call->reply->body, &how);
	call->reply->status = (int)(status > 0 ? status : how.status);
	put_header(call, "Content-Type", str_from_c(how.content_type));
	put_header(call, "x-amzn-RequestId", str_from_c(call->request.id));
	if (how.error_type.p)
		put_header(call, "x-amzn-ErrorType", how.error_type);
	if (call->reply->status >= 500 || call->reply->status == 429)
		put_header(call, "Retry-After", STR(RETRY_AFTER));
	return HTTP_DONE;
}

static int answer(struct call *call, const char *name, const char *message)
{
	return answer_error(call, name, str_from_c(message), NULL, 0);
}

/* May the same call succeed later, because what is missing is room or a working disk? */
static bool is_of_storage(int r)
{
	return r == -ENOSPC || r == -EDQUOT || r == -EIO || r == -EROFS || r == -ETIMEDOUT ||
	       r == -EFBIG;
}

/* Something of ours failed: logged here, once, and told without its sentence. */
static int answer_internal(struct call *call, int r, const char *what)
{
	struct server_inside *inside = call->server->inside;
	char reason[64];
	(void)snprintf(reason, sizeof(reason), "%s",
	        r > -1024 ? strerrordesc_np(-r) ? strerrordesc_np(-r) : "unknown"
	                  : "class of our own");
	log_write(&inside->log, LOG_ERROR, what,
	        LOG_FIELDS(LOG_TEXT("service", str_from_c(call->service->name)),
	                LOG_TEXT("operation", str_from_c(call->shape ? call->shape->name : "-")),
	                LOG_NUMBER("class", r), LOG_TEXT("reason", str_from_c(reason)),
	                LOG_TEXT("request", str_from_c(call->request.id))));
	if (!is_of_storage(r))
		return answer_error(call, call->service->internal,
		        STR("An internal error occurred."), NULL, 500);
	atomic_store(&inside->store_failed_at, call->request.now_at);
	return answer_error(call, call->service->internal,
	        STR("The server cannot write to its storage now; nothing was changed. Try again "
	            "later."),
	        NULL, 503);
}

/* ---- which operation ---- */

static const struct service *find_service(str name)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		if (str_eq(name, str_from_c(services[i].name)))
			return &services[i];
	}
	return NULL;
}

/* "AmazonSSM.PutInventory": of which service, and which. */
static const struct service *service_of_target(str target, str *ret_name)
{
	str prefix;
	if (!str_split_first(target, '.', &prefix, ret_name))
		return NULL;
	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		if (services[i].target && str_eq(prefix, str_from_c(services[i].target)))
			return &services[i];
	}
	return NULL;
}

static bool has_form(const struct http_request *http)
{
	str type;
	return http_header_find(http, STR("content-type"), &type) &&
	       str_has_prefix(type, STR("application/x-www-form-urlencoded"));
}

/* The service by the credential scope; without one, by what the request looks like, so that even
 * its refusal is readable. */
static const struct service *choose_service(
        const struct http_request *http, const struct sigv4 *sig, str target, str *ret_name)
{
	const struct service *by_target = service_of_target(target, ret_name);
	if (sig) {
		const struct service *by_scope = find_service(sig->credential.service);
		if (by_scope && (!by_scope->target || by_scope == by_target))
			return by_scope;
		*ret_name = (str){ NULL, 0 };
		return by_scope;
	}
	return by_target ? by_target
	                 : find_service(has_form(http) ? STR("sts") : STR("inspector2"));
}

static void find_rest(struct call *call, struct arena *arena)
{
	int r = rest_route(str_from_c(call->service->name), call->http->method, call->http->path,
	        arena, &call->route);
	call->shape = r >= 0 ? call->route.operation : NULL;
	call->bad_route = r < 0 && r != -ENOENT;
}

static void find_query(struct call *call, struct arena *arena)
{
	struct query_call query;
	struct err err = { 0 };
	if (query_call(call->http->body, arena, &query, &err) >= 0 && query.action.n > 0)
		call->shape = operation_find(str_from_c(call->service->name), query.action);
}

/* Which operation is asked for. False, and JSON 1.1 to answer in, for a service that is none. */
static bool identify(struct call *call, struct sigv4 *sig, bool *ret_has_sig)
{
	str authorization = { NULL, 0 }, target = { NULL, 0 }, name = { NULL, 0 };
	(void)http_header_find(call->http, STR("authorization"), &authorization);
	(void)http_header_find(call->http, STR("x-amz-target"), &target);
	*ret_has_sig = sigv4_parse(authorization, sig) == SIGV4_OK;
	const struct service *service =
	        choose_service(call->http, *ret_has_sig ? sig : NULL, target, &name);
	call->service = service ? service : &services[OF_SSM];
	if (!protocol_of(str_from_c(call->service->name), &call->protocol))
		call->protocol = PROTOCOL_JSON11;
	return service != NULL;
}

static void find_operation(struct call *call)
{
	str target = { NULL, 0 }, name;
	bool is_root =
	        str_eq(call->http->path, STR("/")) && str_eq(call->http->method, STR("POST"));
	switch (call->protocol) {
	case PROTOCOL_JSON11:
		(void)http_header_find(call->http, STR("x-amz-target"), &target);
		if (is_root && service_of_target(target, &name) == call->service)
			call->shape = operation_find(str_from_c(call->service->name), name);
		break;
	case PROTOCOL_REST_JSON: find_rest(call, call->http->arena); break;
	case PROTOCOL_QUERY:
	case PROTOCOL_EC2:
		if (is_root)
			find_query(call, call->http->arena);
		break;
	}
}

/* ---- whose ---- */

static int64_t first_seen(struct call *call)
{
	/* A call that waits is judged by the time at which it came. */
	int64_t *at = call->http->user;
	if (at)
		return *at;
	at = arena_alloc(call->http->arena, 1, sizeof(*at));
	if (at)
		*at = call->request.now_at;
	call->http->user = at;
	return call->request.now_at;
}

static int verify(struct call *call, struct auth_failure *failure, struct auth *ret)
{
	struct arena *arena = call->http->arena;
	struct sigv4_header *headers =
	        arena_alloc(arena, call->http->n_headers + 1, sizeof(*headers));
	if (!headers)
		return -ENOMEM;
	for (size_t i = 0; i < call->http->n_headers; i++) {
		headers[i].name = call->http->headers[i].name;
		headers[i].value = call->http->headers[i].value;
	}
	struct sigv4_request signed_request = { .method = call->http->method,
		.path = call->http->path,
		.query = call->http->query,
		.headers = headers,
		.n_headers = call->http->n_headers };
	int r = crypto_sha256(call->server->crypto, call->http->body, signed_request.body_sha256);
	return r < 0 ? r
	             : auth_verify(call->server, &signed_request, call->shape, arena,
	                       first_seen(call), ret, failure);
}

/* A host that has a key of its own, made by hand, is taken up with its first call. */
static int adopt(struct call *call, struct caller *caller)
{
	struct account account;
	enum host_state state;
	struct host_change change = { .is_ec2 = &caller->is_ec2, .state = &state };
	struct err err = { 0 };
	if (caller->role != ROLE_HOST || caller->host_number != 0)
		return 0;
	int r = account_get(call->server, caller->account, call->http->arena, &account);
	if (r < 0)
		return r == -ENOENT ? -EACCES : r;
	state = host_state_of(NULL, account.is_ec2_enabled);
	r = fleet_host_add(call->server->fleet, caller->account, caller->host_id, &change,
	        call->request.now_at, NULL, &caller->host_number, &err);
	if (r == -EEXIST) {
		/* Another of its calls was first; or the id is another account's. */
		fleet_lock(call->server->fleet);
		const struct fleet_host *host =
		        fleet_host_find(call->server->fleet, str_from_c(caller->host_id));
		bool is_own = host && host->account == caller->account;
		caller->host_number = is_own ? host->number : 0;
		fleet_unlock(call->server->fleet);
		return is_own ? 0 : -EACCES;
	}
	return r;
}

/* ---- what was sent ---- */

static bool is_content_type(const struct call *call)
{
	str type;
	if (!http_header_find(call->http, STR("content-type"), &type))
		return true;
	switch (call->protocol) {
	case PROTOCOL_JSON11: return str_has_prefix(type, STR("application/x-amz-json-1."));
	case PROTOCOL_REST_JSON:
		return call->http->body.n == 0 || str_has_prefix(type, STR("application/json")) ||
		       str_has_prefix(type, STR("application/x-amz-json-1."));
	case PROTOCOL_QUERY:
	case PROTOCOL_EC2: return has_form(call->http);
	}
	return false;
}

static int decode(struct call *call, struct err *err)
{
	struct arena *arena = call->http->arena;
	const struct value *body = NULL;
	str text = is_raw(call->shape) ? (str){ NULL, 0 } : call->http->body;
	if (!is_raw(call->shape) && !is_content_type(call))
		return err_set(err, -ERR_FORMAT, "The content type is not that of this protocol.");
	if (http_header_find(call->http, STR("content-encoding"), &(str){ NULL, 0 }))
		return err_set(err, -ERR_FORMAT, "Encoded bodies are not accepted.");
	if (call->protocol == PROTOCOL_QUERY || call->protocol == PROTOCOL_EC2)
		return query_decode(
		        call->protocol, call->shape->input, text, arena, &call->request.in, err);
	if (text.n > 0) {
		int r = value_from_json(text, arena, &body, err);
		if (r < 0)
			return r;
	}
	if (call->protocol == PROTOCOL_REST_JSON)
		return rest_input(
		        &call->route, call->http->query, body, arena, &call->request.in, err);
	static const struct value nothing = { .kind = VALUE_OBJECT };
	if (body && value_kind(body) != VALUE_OBJECT)
		return err_set(err, -ERR_FORMAT, "The body is not a JSON object.");
	call->request.in = body ? body : &nothing;
	return 0;
}

/* {"reason": ...} and, for each problem, a field. */
static const struct value *inspector_extra(
        struct arena *arena, const char *reason, const struct shape_problems *problems)
{
	size_t n = problems ? problems->n : 0;
	struct value list, *extra = arena_alloc(arena, 1, sizeof(*extra));
	struct value *items = arena_alloc(arena, n + 1, sizeof(*items));
	if (!extra || !items)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct value_member of_item[] = {
			{ STR("name"), value_of_str(problems->items[i].path) },
			{ STR("message"), value_of_str(problems->items[i].text) },
		};
		if (value_of_members(arena, of_item, 2, &items[i]) < 0)
			return NULL;
	}
	if (value_of_items(arena, items, n, &list) < 0)
		return NULL;
	struct value_member of_extra[] = {
		{ STR("reason"), value_of_str(str_from_c(reason)) },
		{ STR("fields"), list },
	};
	return value_of_members(arena, of_extra, n > 0 ? 2 : 1, extra) < 0 ? NULL : extra;
}

static int answer_unreadable(struct call *call, int r, const struct err *err)
{
	const struct value *extra = NULL;
	if (r != -ERR_FORMAT && r != -ERR_LIMIT && r != -ERR_UNSUPPORTED)
		return answer_internal(call, r, "a request could not be read");
	if (call->protocol == PROTOCOL_REST_JSON)
		extra = inspector_extra(call->http->arena, "CANNOT_PARSE", NULL);
	return answer_error(call, call->service->unreadable, str_from_c(err->text), extra, 0);
}

static int answer_problems(struct call *call, const struct shape_problems *problems)
{
	autobuf sentence = BUF((size_t)64 << 10);
	const struct value *extra = NULL;
	const char *name = call->service->invalid;
	shape_problems_add_sentence(problems, &sentence);
	if (call->protocol == PROTOCOL_REST_JSON)
		extra = inspector_extra(call->http->arena, "FIELD_VALIDATION_FAILED", problems);
	if (call->protocol == PROTOCOL_EC2 && problems->items[0].fault == SHAPE_FAULT_MISSING)
		name = "MissingParameter";
	return answer_error(call, name, buf_str(&sentence), extra, 0);
}

/* ---- the handler ---- */

static const char *element(struct call *call, const char *suffix)
{
	str name;
	return arena_printf(call->http->arena, &name, "%s%s", call->shape->name, suffix) < 0
	               ? NULL
	               : name.p;
}

static void open_answer(struct call *call)
{
	struct response *response = &call->response;
	response->arena = call->http->arena;
	response->body = BUF(REPLY_BYTES);
	if (!call->service->xml) {
		response->json = JSON_WRITER(&response->body, false);
		json_write_object(&response->json);
		return;
	}
	const char *outer = element(call, "Response"), *inner = element(call, "Result");
	response->xml = XML(&response->body);
	if (!outer || !inner) {
		response->body.failed = true;
		return;
	}
	xml_begin(&response->xml, outer, call->service->xml);
	if (call->protocol == PROTOCOL_QUERY)
		xml_begin(&response->xml, inner, NULL);
	else
		xml_text(&response->xml, "requestId", str_from_c(call->request.id));
}

static void close_answer(struct call *call)
{
	struct xml *w = &call->response.xml;
	if (!call->service->xml) {
		json_write_object_end(&call->response.json);
		return;
	}
	if (call->protocol == PROTOCOL_QUERY) {
		xml_end(w);
		xml_begin(w, "ResponseMetadata", NULL);
		xml_text(w, "RequestId", str_from_c(call->request.id));
		xml_end(w);
	}
	xml_end(w);
}

static int conclude(struct call *call, int r)
{
	struct response *response = &call->response;
	if (response->is_failed) {
		str name;
		if (arena_copy(call->http->arena, response->error, &name) < 0)
			return answer_internal(call, -ENOMEM, "no memory for an answer");
		return answer_error(call, name.p, response->message, response->extra, 0);
	}
	if (response->defer_ms > 0) {
		call->reply->defer_ms = response->defer_ms;
		call->reply->defer_key = response->defer_key;
		return HTTP_DEFER;
	}
	if (r < 0)
		return answer_internal(call, r, "an operation failed");
	close_answer(call);
	if (buf_failed(&response->body))
		return answer_internal(call, -ERR_LIMIT, "an answer is too large");
	call->reply->status = 200;
	put_header(call, "Content-Type", str_from_c(protocol_content_type(call->protocol)));
	put_header(call, "x-amzn-RequestId", str_from_c(call->request.id));
	buf_fini(&call->reply->body);
	call->reply->body = response->body;
	response->body = BUF(0);
	return HTTP_DONE;
}

static int handle(struct call *call, const struct operation *operation)
{
	struct shape_problems problems = SHAPE_PROBLEMS(call->http->arena);
	struct err err = { 0 };
	int r = decode(call, &err);
	if (r < 0)
		return answer_unreadable(call, r, &err);
	r = shape_validate(call->shape->input, call->request.in, &problems);
	if (r == -ERR_FORMAT)
		return answer_problems(call, &problems);
	if (r >= 0)
		r = adopt(call, &call->request.caller);
	if (r == -EACCES)
		return answer(call, call->service->denied, "This host belongs to another account.");
	if (r < 0)
		return answer_internal(call, r, "a request could not be prepared");
	call->request.operation = operation;
	open_answer(call);
	r = operation->handle(&call->request, &call->response);
	r = conclude(call, r);
	buf_fini(&call->response.body);
	return r;
}

/* ---- one request ---- */

static int refuse_caller(struct call *call, int r, const struct auth_failure *failure)
{
	if (r != -EACCES)
		return answer_internal(call, r, "a signature could not be verified");
	return answer(call, auth_error_of(failure->error, str_from_c(call->service->name)),
	        failure->message);
}

static int answer_unknown(struct call *call)
{
	str text = STR("The requested operation is not recognised by this service.");
	if (call->bad_route)
		return answer_error(call, call->service->invalid,
		        STR("The address is badly encoded."),
		        inspector_extra(call->http->arena, "CANNOT_PARSE", NULL), 400);
	unsigned status = call->protocol == PROTOCOL_REST_JSON ? 404 : 400;
	return answer_error(call, call->service->unknown, text, NULL, status);
}

static int authorise(struct call *call, const struct operation *operation, struct auth *auth)
{
	struct auth_failure failure = { NULL, NULL };
	bool is_open = operation && operation->may == MAY_ANYONE;
	if (call->given) {
		auth->caller = *call->given;
		return 0;
	}
	int r = verify(call, &failure, auth);
	if (r == -EACCES && is_open) {
		*auth = (struct auth){ .service = { NULL, 0 } };
		return 0;
	}
	if (r < 0)
		return refuse_caller(call, r, &failure);
	return 0;
}

static int dispatch(struct call *call)
{
	struct sigv4 sig;
	struct auth auth = { .service = { NULL, 0 } };
	bool has_sig;
	bool is_known = identify(call, &sig, &has_sig);
	if (is_known)
		find_operation(call);
	const struct operation *operation =
	        call->shape ? operation_row(call->server, call->shape) : NULL;
	call->reply->status = 0;
	int r = authorise(call, operation, &auth);
	if (call->reply->status != 0)
		return r;
	call->request.caller = auth.caller;
	call->request.region = auth.region.n > 0 ? auth.region : STR("us-east-1");
	if (!operation)
		return answer_unknown(call);
	if (!may_call(operation->may, &call->request.caller))
		return answer(call, call->service->denied,
		        "This caller is not authorised to perform this operation.");
	return handle(call, operation);
}

/* Our own agent lets itself be held for longer than others: each answer wakes its host. */
static unsigned wait_of(const struct http_request *http)
{
	str text = { NULL, 0 };
	uint64_t wait_s = 0;
	(void)http_header_find(http, STR("x-sonde-wait"), &text);
	if (!str_to_u64(text, UINT32_MAX, &wait_s))
		return 0;
	return wait_s < WAIT_MAX_S ? (unsigned)wait_s : WAIT_MAX_S;
}

static int answer_call(struct server *server, const struct caller *given, struct http_request *http,
        struct http_response *reply)
{
	struct call call = { .server = server,
		.http = http,
		.reply = reply,
		.given = given,
		.service = &services[OF_INSPECTOR],
		.protocol = PROTOCOL_REST_JSON,
		.started_us = monotonic_us() };
	int64_t now_ms = server_now_ms(server);
	call.request = (struct request){ .server = server,
		.body = http->body,
		.arena = http->arena,
		.now_at = now_ms / 1000,
		.now_ms = now_ms,
		.peer = http->peer,
		.attempt = (int)(http->attempt < 1000 ? http->attempt : 1000),
		.wait_s = wait_of(http),
		.is_wait_over = http->is_deferral_over };
	int r = uuid_make(call.request.id) < 0
	                ? answer_internal(&call, -EIO, "no random bytes for a request id")
	                : dispatch(&call);
	if (r == HTTP_DONE)
		metrics_count(server, call.shape, reply->status,
		        (uint64_t)(monotonic_us() - call.started_us));
	return r;
}

int dispatch_handle(void *ctx, struct http_request *http, struct http_response *reply)
{
	struct server *server = ctx;
	return page_answer(server, http, reply) ? HTTP_DONE
	                                        : answer_call(server, NULL, http, reply);
}

int dispatch_as(struct server *server, const struct caller *caller, struct http_request *request,
        struct http_response *response)
{
	return answer_call(server, caller, request, response);
}

int dispatch_admit(void *ctx, struct http_request *head, uint64_t body_bytes,
        struct http_response *refusal, size_t *ret_max_body)
{
	struct server *server = ctx;
	str authorization = { NULL, 0 }, target = { NULL, 0 }, name = { NULL, 0 },
	    token = { NULL, 0 };
	struct sigv4 sig;
	(void)body_bytes;
	(void)refusal;
	(void)http_header_find(head, STR("authorization"), &authorization);
	(void)http_header_find(head, STR("x-amz-target"), &target);
	(void)http_header_find(head, STR("x-amz-security-token"), &token);
	if (sigv4_parse(authorization, &sig) != SIGV4_OK ||
	        !auth_knows(server, sig.credential.access_key_id, token)) {
		*ret_max_body = BODY_UNKNOWN_BYTES;
		return 0;
	}
	*ret_max_body = BODY_BYTES;
	const struct service *service = service_of_target(target, &name);
	for (size_t i = 0; service && i < sizeof(large) / sizeof(*large); i++) {
		if (strcmp(service->name, large[i].service) == 0 &&
		        str_eq(name, str_from_c(large[i].name)))
			*ret_max_body = BODY_LARGE_BYTES;
	}
	return 0;
}
