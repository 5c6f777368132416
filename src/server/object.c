/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects are kept in one skip list, ordered by (type, account, name): a type of one account, a
 * prefix of its names, and a type of all accounts are then each one run of neighbours. Heights come
 * from a generator that is seeded per process, so that names from outside cannot shape the list.
 *
 * Two locks. `lock` guards the list and is held for the time of a copy, never while the store
 * works. One of STRIPES mutexes, chosen by the object's address, is held from before the store is
 * asked until the change is visible: two changes of one object become visible in the order in which
 * they became durable. A change of several objects takes its stripes in ascending order.
 */
#include "server/object.h"

#include <pthread.h>
#include <stdlib.h>

#include "aws/crypto.h"
#include "base/cleanup.h"
#include "fleet/kinds.h"

/* With one node in four a level higher, enough for 4^12 objects. */
#define LEVELS 12
#define STRIPES 64
#define NAME_MAX_BYTES 400
#define TYPE_MAX_BYTES 40
/* Longer texts go where a scan of the short ones does not read. */
#define SHORT_BYTES 2048
/* Most changes of one call. */
#define CHANGES_MAX 1000

struct node {
	int64_t account;
	str type, name, json; /* in the same allocation */
	int n_levels;
	struct node *next[];
};

struct objects {
	struct store *store;
	pthread_rwlock_t lock;
	struct node *head; /* LEVELS high; no object */
	uint64_t random;   /* under lock */
	pthread_mutex_t stripes[STRIPES];
};

/* ---- the list ---- */

struct address {
	int64_t account;
	str type, name;
};

static int compare(const struct node *node, const struct address *address)
{
	int c = str_cmp(node->type, address->type);
	if (c == 0)
		c = (node->account > address->account) - (node->account < address->account);
	return c != 0 ? c : str_cmp(node->name, address->name);
}

/* The first node that is not before the address; the nodes before it, level by level. */
static struct node *find(
        const struct objects *objects, const struct address *address, struct node *before[LEVELS])
{
	struct node *at = objects->head;
	for (int level = LEVELS - 1; level >= 0; level--) {
		while (at->next[level] && compare(at->next[level], address) < 0)
			at = at->next[level];
		if (before)
			before[level] = at;
	}
	return at->next[0];
}

static struct node *find_exact(
        const struct objects *objects, const struct address *address, struct node *before[LEVELS])
{
	struct node *node = find(objects, address, before);
	return node && compare(node, address) == 0 ? node : NULL;
}

static struct node *new_node(int n_levels, const struct address *address, str json)
{
	size_t links = (size_t)n_levels * sizeof(struct node *);
	struct node *node =
	        malloc(sizeof(*node) + links + address->type.n + address->name.n + json.n + 1);
	if (!node)
		return NULL;
	char *text = (char *)node->next + links;
	*node = (struct node){ .account = address->account,
		.type = { text, address->type.n },
		.name = { text + address->type.n, address->name.n },
		.json = { text + address->type.n + address->name.n, json.n },
		.n_levels = n_levels };
	for (int i = 0; i < n_levels; i++)
		node->next[i] = NULL;
	for (size_t i = 0; i < 3; i++) {
		str from = i == 0 ? address->type : i == 1 ? address->name : json;
		if (from.n > 0)
			memcpy(text, from.p, from.n);
		text += from.n;
	}
	return node;
}

static int random_height(struct objects *objects)
{
	int n = 1;
	objects->random ^= objects->random << 13;
	objects->random ^= objects->random >> 7;
	objects->random ^= objects->random << 17;
	for (uint64_t bits = objects->random; n < LEVELS && (bits & 3) == 0; bits >>= 2)
		n++;
	return n;
}

static void unlink_node(struct node *node, struct node *before[LEVELS])
{
	for (int i = 0; i < node->n_levels; i++)
		before[i]->next[i] = node->next[i];
	free(node);
}

/* Put a node in, in the place of one of the same address. */
static void link_node(struct objects *objects, struct node *node)
{
	struct node *before[LEVELS];
	struct address address = { node->account, node->type, node->name };
	struct node *old = find_exact(objects, &address, before);
	if (old)
		unlink_node(old, before);
	for (int i = 0; i < node->n_levels; i++) {
		node->next[i] = before[i]->next[i];
		before[i]->next[i] = node;
	}
}

/* ---- loading ---- */

static int load(void *ctx, const struct store_key *key, str value)
{
	struct objects *objects = ctx;
	struct address address = { .account = key->account };
	struct err err = { 0 };
	struct arena arena = ARENA((size_t)256 << 20);
	const struct value *parsed;
	if (!str_split_first(key->key, '/', &address.type, &address.name))
		return -ERR_FORMAT;
	int r = value_from_json(value, &arena, &parsed, &err);
	if (r >= 0 && value_kind(parsed) != VALUE_OBJECT)
		r = -ERR_FORMAT;
	arena_fini(&arena);
	if (r < 0)
		return r == -ERR_LIMIT ? -ENOMEM : r;
	struct node *node = new_node(random_height(objects), &address, value);
	if (!node)
		return -ENOMEM;
	link_node(objects, node);
	return 0;
}

static int load_kind(struct objects *objects, int kind, struct err *err)
{
	struct store_range range = {
		.account = STORE_ANY_ACCOUNT, .bucket = STORE_ANY_BUCKET, .kind = kind
	};
	struct err why = { 0 };
	int r = store_scan(objects->store, &range, load, objects, &why);
	if (r < 0)
		return err_set(err, r, "cannot load the objects of kind %d: %s", kind,
		        why.text[0] ? why.text : "a record is damaged");
	return 0;
}

static int make(struct store *store, struct objects **ret)
{
	struct objects *objects = calloc(1, sizeof(*objects));
	if (!objects)
		return -ENOMEM;
	objects->head = new_node(LEVELS, &(struct address){ 0 }, (str){ NULL, 0 });
	if (!objects->head || crypto_random(&objects->random, sizeof(objects->random)) < 0) {
		free(objects->head);
		free(objects);
		return -ENOMEM;
	}
	objects->random |= 1;
	objects->store = store;
	(void)pthread_rwlock_init(&objects->lock, NULL);
	for (size_t i = 0; i < STRIPES; i++)
		(void)pthread_mutex_init(&objects->stripes[i], NULL);
	*ret = objects;
	return 0;
}

int objects_open(struct store *store, struct objects **ret, struct err *err)
{
	struct objects *objects;
	int r = make(store, &objects);
	if (r < 0)
		return err_set(err, r, "no memory for objects");
	r = load_kind(objects, KIND_OBJECT, err);
	if (r >= 0)
		r = load_kind(objects, KIND_DOCUMENT, err);
	if (r < 0) {
		objects_close(objects);
		return r;
	}
	*ret = objects;
	return 0;
}

void objects_close(struct objects *objects)
{
	if (!objects)
		return;
	while (objects->head) {
		struct node *next = objects->head->next[0];
		free(objects->head);
		objects->head = next;
	}
	(void)pthread_rwlock_destroy(&objects->lock);
	for (size_t i = 0; i < STRIPES; i++)
		(void)pthread_mutex_destroy(&objects->stripes[i]);
	free(objects);
}

/* ---- reading ---- */

/* Parse a copy. What was read from the store or accepted into it is an object. */
static int parse(str json, struct arena *arena, const struct value **ret)
{
	struct err err = { 0 };
	int r = value_from_json(json, arena, ret, &err);
	return r < 0 ? -ERR_LIMIT : 0;
}

int object_get(struct objects *objects, int64_t account, const char *type, str name,
        struct arena *arena, const struct value **ret)
{
	struct address address = { account, str_from_c(type), name };
	str copy = { NULL, 0 };
	int r = -ENOENT;
	(void)pthread_rwlock_rdlock(&objects->lock);
	const struct node *node = find_exact(objects, &address, NULL);
	if (node)
		r = arena_copy(arena, node->json, &copy);
	(void)pthread_rwlock_unlock(&objects->lock);
	return r < 0 ? r : parse(copy, arena, ret);
}

struct copied {
	int64_t account;
	str name, json;
};

/* The nodes of a list, copied while the lock is held; NULL `out` counts them. */
static int walk(struct objects *objects, const struct address *from, int64_t account, str prefix,
        size_t most, struct arena *arena, struct copied *out, size_t *ret_n)
{
	size_t n = 0;
	int r = 0;
	const struct node *node = find(objects, from, NULL);
	for (; r >= 0 && node && str_eq(node->type, from->type); node = node->next[0]) {
		if (account != STORE_ANY_ACCOUNT &&
		        (node->account != account || !str_has_prefix(node->name, prefix)))
			break;
		if (!str_has_prefix(node->name, prefix))
			continue;
		if (most > 0 && n == most)
			break;
		if (out) {
			out[n].account = node->account;
			r = arena_copy(arena, node->name, &out[n].name);
			if (r >= 0)
				r = arena_copy(arena, node->json, &out[n].json);
		}
		n++;
	}
	*ret_n = n;
	return r;
}

static int copy_list(struct objects *objects, const struct address *from, int64_t account,
        str prefix, size_t most, struct arena *arena, struct copied **ret, size_t *ret_n)
{
	(void)pthread_rwlock_rdlock(&objects->lock);
	int r = walk(objects, from, account, prefix, most, arena, NULL, ret_n);
	struct copied *out = r < 0 ? NULL : arena_alloc(arena, *ret_n + 1, sizeof(*out));
	if (out)
		r = walk(objects, from, account, prefix, most, arena, out, ret_n);
	(void)pthread_rwlock_unlock(&objects->lock);
	*ret = out;
	return out ? r : -ERR_LIMIT;
}

int object_list(struct objects *objects, int64_t account, const char *type, str prefix, str after,
        size_t most, struct arena *arena, const struct object **ret, size_t *ret_count)
{
	struct address from = { account == STORE_ANY_ACCOUNT ? 0 : account, str_from_c(type),
		account == STORE_ANY_ACCOUNT ? (str){ NULL, 0 } : prefix };
	char behind[NAME_MAX_BYTES + 1];
	/* The least name behind `after` is that name and a NUL. */
	if (account != STORE_ANY_ACCOUNT && after.n > 0 && after.n <= NAME_MAX_BYTES &&
	        str_cmp(after, prefix) >= 0) {
		memcpy(behind, after.p, after.n);
		behind[after.n] = '\0';
		from.name = (str){ behind, after.n + 1 };
	}
	struct copied *copied;
	size_t n;
	int r = copy_list(objects, &from, account, prefix, most, arena, &copied, &n);
	struct object *out = r < 0 ? NULL : arena_alloc(arena, n + 1, sizeof(*out));
	if (!out)
		return -ERR_LIMIT;
	for (size_t i = 0; r >= 0 && i < n; i++) {
		out[i].account = copied[i].account;
		out[i].name = copied[i].name;
		r = parse(copied[i].json, arena, &out[i].value);
	}
	if (r < 0)
		return r;
	*ret = out;
	*ret_count = n;
	return 0;
}

size_t object_count(struct objects *objects, int64_t account, const char *type)
{
	struct address from = { account, str_from_c(type), { NULL, 0 } };
	size_t n = 0;
	(void)pthread_rwlock_rdlock(&objects->lock);
	(void)walk(objects, &from, account, (str){ NULL, 0 }, 0, NULL, NULL, &n);
	(void)pthread_rwlock_unlock(&objects->lock);
	return n;
}

/* ---- changing ---- */

static unsigned stripe_of(const struct object_change *change)
{
	uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)change->account;
	for (size_t i = 0; i < change->name.n; i++)
		hash = (hash ^ (unsigned char)change->name.p[i]) * UINT64_C(1099511628211);
	return (unsigned)((hash ^ (hash >> 32)) % STRIPES);
}

static void lock_stripes(struct objects *objects, uint64_t set)
{
	for (unsigned i = 0; i < STRIPES; i++) {
		if (set >> i & 1)
			(void)pthread_mutex_lock(&objects->stripes[i]);
	}
}

static void unlock_stripes(struct objects *objects, uint64_t set)
{
	for (unsigned i = 0; i < STRIPES; i++) {
		if (set >> i & 1)
			(void)pthread_mutex_unlock(&objects->stripes[i]);
	}
}

static int check(const struct object_change *change, struct err *err)
{
	size_t n_type = strlen(change->type);
	if (n_type == 0 || n_type > TYPE_MAX_BYTES || memchr(change->type, '/', n_type) ||
	        change->account < 0 || change->account > STORE_ACCOUNT_MAX)
		return err_set(
		        err, -EINVAL, "an object of type '%.40s' cannot be kept", change->type);
	if (change->name.n == 0 || change->name.n > NAME_MAX_BYTES)
		return err_set(err, -ERR_LIMIT, "a name of %zu bytes; 1 to %d are allowed",
		        change->name.n, NAME_MAX_BYTES);
	if (change->json.n > STORE_LARGE_MAX_BYTES)
		return err_set(err, -ERR_LIMIT, "an object of %zu bytes", change->json.n);
	return 0;
}

/* Say in the batch what the store is to hold instead. */
static int plan(struct objects *objects, const struct object_change *change,
        struct store_batch *batch, struct err *err)
{
	autobuf name = BUF(STORE_KEY_MAX_BYTES);
	struct address address = { change->account, str_from_c(change->type), change->name };
	buf_add(&name, address.type);
	buf_add_byte(&name, '/');
	buf_add(&name, change->name);
	if (buf_failed(&name))
		return err_set(err, -ENOMEM, "no memory for an object");
	struct store_key key = { .account = change->account, .key = buf_str(&name) };
	bool is_short = change->json.n <= SHORT_BYTES;

	(void)pthread_rwlock_rdlock(&objects->lock);
	const struct node *old = find_exact(objects, &address, NULL);
	bool was = old != NULL, was_short = old && old->json.n <= SHORT_BYTES;
	(void)pthread_rwlock_unlock(&objects->lock);
	if (was && change->is_new)
		return err_set(err, -EEXIST, "the %s is there already", change->type);
	if (was && (!change->json.p || was_short != is_short)) {
		key.kind = was_short ? KIND_OBJECT : KIND_DOCUMENT;
		store_batch_delete(batch, key);
	}
	if (change->json.p) {
		key.kind = is_short ? KIND_OBJECT : KIND_DOCUMENT;
		store_batch_put(batch, key, change->json);
	}
	return 0;
}

/* Everything that can fail is done before the store is asked: the nodes to put in. */
static int prepare(struct objects *objects, const struct object_change *changes, size_t n,
        struct store_batch *batch, struct node **nodes, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = plan(objects, &changes[i], batch, err);
	(void)pthread_rwlock_wrlock(&objects->lock);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct address address = { changes[i].account, str_from_c(changes[i].type),
			changes[i].name };
		if (!changes[i].json.p)
			continue;
		nodes[i] = new_node(random_height(objects), &address, changes[i].json);
		if (!nodes[i])
			r = err_set(err, -ENOMEM, "no memory for an object");
	}
	(void)pthread_rwlock_unlock(&objects->lock);
	return r;
}

static void apply(
        struct objects *objects, const struct object_change *changes, size_t n, struct node **nodes)
{
	(void)pthread_rwlock_wrlock(&objects->lock);
	for (size_t i = 0; i < n; i++) {
		struct node *before[LEVELS];
		struct address address = { changes[i].account, str_from_c(changes[i].type),
			changes[i].name };
		if (nodes[i]) {
			link_node(objects, nodes[i]);
			nodes[i] = NULL;
			continue;
		}
		struct node *old = find_exact(objects, &address, before);
		if (old)
			unlink_node(old, before);
	}
	(void)pthread_rwlock_unlock(&objects->lock);
}

static int change_locked(struct objects *objects, const struct object_change *changes, size_t n,
        struct store_batch *batch, struct err *err)
{
	autofree struct node **nodes = calloc(n + 1, sizeof(struct node *));
	int r = nodes ? prepare(objects, changes, n, batch, nodes, err) : -ENOMEM;
	if (r >= 0)
		r = store_commit(objects->store, batch, err);
	if (r >= 0)
		apply(objects, changes, n, nodes);
	for (size_t i = 0; nodes && i < n; i++)
		free(nodes[i]);
	return r < 0 ? r : 0;
}

int objects_change(struct objects *objects, const struct object_change *changes, size_t n,
        struct store_batch *with, struct err *err)
{
	struct store_batch own;
	uint64_t stripes = 0;
	if (n > CHANGES_MAX)
		return err_set(err, -ERR_LIMIT, "%zu changes at once", n);
	for (size_t i = 0; i < n; i++) {
		int r = check(&changes[i], err);
		if (r < 0)
			return r;
		stripes |= UINT64_C(1) << stripe_of(&changes[i]);
	}
	if (!with)
		store_batch_init(&own, 0);
	lock_stripes(objects, stripes);
	int r = change_locked(objects, changes, n, with ? with : &own, err);
	unlock_stripes(objects, stripes);
	if (!with)
		store_batch_fini(&own);
	return r;
}
