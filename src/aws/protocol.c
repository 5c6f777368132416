/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/protocol.h"

#include "aws/xml.h"
#include "base/json.h"

#define JSON_TYPE "application/x-amz-json-1.1"

static const struct {
	str service;
	enum protocol protocol;
} services[] = {
	{ { "ec2", 3 }, PROTOCOL_EC2 },
	{ { "ec2messages", 11 }, PROTOCOL_JSON11 },
	{ { "inspector2", 10 }, PROTOCOL_REST_JSON },
	{ { "organizations", 13 }, PROTOCOL_JSON11 },
	{ { "sonde", 5 }, PROTOCOL_REST_JSON },
	{ { "ssm", 3 }, PROTOCOL_JSON11 },
	{ { "sts", 3 }, PROTOCOL_QUERY },
};

/*
 * The status of an exception where it is not 400, by family: JSON 1.1 answers nearly everything
 * with 400, REST-JSON and the Query protocols tell more.
 */
static const struct {
	const char *name;
	unsigned json, rest, query;
} errors[] = {
	{ "AccessDenied", 400, 403, 403 },
	{ "AccessDeniedException", 400, 403, 403 },
	{ "AuthFailure", 400, 403, 401 },
	{ "ConflictException", 400, 409, 409 },
	{ "ExpiredToken", 400, 403, 403 },
	{ "ExpiredTokenException", 400, 403, 403 },
	{ "IncompleteSignature", 400, 403, 403 },
	{ "IncompleteSignatureException", 400, 403, 403 },
	{ "InternalError", 500, 500, 500 },
	{ "InternalFailure", 500, 500, 500 },
	{ "InternalServerError", 500, 500, 500 },
	{ "InternalServerException", 500, 500, 500 },
	{ "InvalidClientTokenId", 400, 403, 403 },
	{ "InvalidSignatureException", 400, 403, 403 },
	{ "MissingAuthenticationToken", 400, 403, 403 },
	{ "MissingAuthenticationTokenException", 400, 403, 403 },
	{ "OptInRequired", 400, 403, 403 },
	{ "RequestExpired", 400, 403, 400 },
	{ "RequestTooLargeException", 413, 413, 413 },
	{ "ResourceNotFoundException", 400, 404, 404 },
	{ "ServiceException", 500, 500, 500 },
	{ "ServiceQuotaExceededException", 400, 402, 400 },
	{ "ServiceUnavailable", 503, 503, 503 },
	{ "ServiceUnavailableException", 503, 503, 503 },
	{ "SignatureDoesNotMatch", 400, 403, 403 },
	{ "Throttling", 400, 429, 400 },
	{ "ThrottlingException", 400, 429, 400 },
	{ "UnknownOperationException", 400, 404, 400 },
	{ "UnrecognizedClientException", 400, 403, 403 },
};

bool protocol_of(str service, enum protocol *ret)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
		if (str_eq(services[i].service, service)) {
			*ret = services[i].protocol;
			return true;
		}
	}
	return false;
}

const char *protocol_content_type(enum protocol protocol)
{
	switch (protocol) {
	case PROTOCOL_JSON11: return JSON_TYPE;
	case PROTOCOL_REST_JSON: return "application/json";
	case PROTOCOL_EC2: return "text/xml;charset=UTF-8";
	case PROTOCOL_QUERY:
	default: return "text/xml";
	}
}

unsigned protocol_status(enum protocol protocol, str name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (!str_eq(str_from_c(errors[i].name), name))
			continue;
		return protocol == PROTOCOL_JSON11      ? errors[i].json
		       : protocol == PROTOCOL_REST_JSON ? errors[i].rest
		                                        : errors[i].query;
	}
	return 400;
}

static void write_json(const struct protocol_error *error, bool has_type, struct buf *body)
{
	struct json_writer w = JSON_WRITER(body, false);
	json_write_object(&w);
	if (has_type)
		json_write_member_str(&w, "__type", error->name);
	json_write_key(&w, "message");
	json_write_str(&w, error->message);
	for (size_t i = 0; i < value_count(error->extra); i++) {
		str key = value_key_at(error->extra, i);
		if (!key.p || str_eq(key, STR("message")) || str_eq(key, STR("__type")))
			continue;
		json_write_key_str(&w, key);
		value_write_json(value_at(error->extra, i), &w);
	}
	json_write_object_end(&w);
}

static void write_query(const struct protocol_error *error, const char *namespace_uri,
        unsigned status, struct buf *body)
{
	struct xml w = XML(body);
	xml_begin(&w, "ErrorResponse", namespace_uri);
	xml_begin(&w, "Error", NULL);
	xml_text(&w, "Type", status >= 500 ? STR("Receiver") : STR("Sender"));
	xml_text(&w, "Code", error->name);
	xml_text(&w, "Message", error->message);
	xml_end(&w);
	xml_text(&w, "RequestId", error->request_id);
	xml_end(&w);
}

static void write_ec2(const struct protocol_error *error, struct buf *body)
{
	struct xml w = XML(body);
	buf_add(body, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
	xml_begin(&w, "Response", NULL);
	xml_begin(&w, "Errors", NULL);
	xml_begin(&w, "Error", NULL);
	xml_text(&w, "Code", error->name);
	xml_text(&w, "Message", error->message);
	xml_end(&w);
	xml_end(&w);
	xml_text(&w, "RequestID", error->request_id);
	xml_end(&w);
}

void protocol_write_error(enum protocol protocol, const struct protocol_error *error,
        const char *namespace_uri, struct buf *body, struct protocol_reply *ret)
{
	*ret = (struct protocol_reply){
		.status = protocol_status(protocol, error->name),
		.content_type = protocol_content_type(protocol),
	};
	switch (protocol) {
	case PROTOCOL_JSON11: write_json(error, true, body); return;
	case PROTOCOL_REST_JSON:
		write_json(error, false, body);
		ret->error_type = error->name;
		return;
	case PROTOCOL_EC2: write_ec2(error, body); return;
	case PROTOCOL_QUERY:
	default: write_query(error, namespace_uri, ret->status, body); return;
	}
}
