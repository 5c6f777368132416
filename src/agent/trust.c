/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trust.h"

#include "ssm/builtin_documents.h"
#include "ssm/document_check.h"

/* AWS-RunShellScript and AWS-ConfigureAWSPackage are left out: they run what their parameters say,
 * which is what a host has to allow itself. */
static const char *const trusted[] = {
	"AWS-GatherSoftwareInventory",
	"AWS-RefreshAssociation",
	"AmazonInspector2-ConfigureInspectorSsmPluginLinux",
	"AmazonInspector2-InvokeInspectorSsmPluginLinux",
};

int trust_digest(const struct value *document, char ret_hex[SHA256_HEX_SIZE])
{
	autobuf text = BUF(2 * DOCUMENT_MAX_BYTES);
	struct json_writer w = JSON_WRITER(&text, false);
	value_write_json(document, &w);
	if (buf_failed(&text))
		return -ERR_LIMIT;
	hash_sha256_hex(buf_str(&text), ret_hex);
	return 0;
}

static bool has_digest(const char *name, const char *hex)
{
	struct arena arena = ARENA(4u << 20);
	const struct builtin_document *document = builtin_document_find(str_from_c(name));
	const struct value *value = NULL;
	char own[SHA256_HEX_SIZE];
	int r = document ? value_from_json(str_from_c(document->content), &arena, &value, NULL)
	                 : -ERR_FORMAT;
	if (r == 0)
		r = trust_digest(value, own);
	arena_fini(&arena);
	return r == 0 && strcmp(own, hex) == 0;
}

const char *trust_find(const char *hex)
{
	for (size_t i = 0; i < sizeof(trusted) / sizeof(trusted[0]); i++) {
		if (has_digest(trusted[i], hex))
			return trusted[i];
	}
	return NULL;
}
