/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * What `sonde` and a `sonde-net session` say to each other, over one socket that sonde-net has as
 * its descriptors 0, 1 and 2: frames, each of
 *
 *   u32 bytes of the payload   u8 type   u8 version   u16 number of the call   the payload
 *
 * all little-endian; a text is its length, u32, and its bytes. `sonde` says SETUP once and hears
 * READY; then ASK or MAKE_KEY, one at a time. An ASK is answered by HEAD, any number of DATA, END;
 * a MAKE_KEY by KEY; and each of them, at any point, by FAIL, after which the next may be asked.
 * Everything here is pure and checks what it reads as if a stranger had written it.
 */

#include "base/buf.h"
#include "base/cursor.h"
#include "net/call.h"

#define CALL_FRAME_VERSION 1
#define CALL_FRAME_HEAD_BYTES 8

/** Largest payload to sonde-net, and from it. */
#define CALL_ASK_MAX (NET_CALL_BODY_MAX + (128u << 10))
#define CALL_TELL_MAX (128u << 10)
/** Most bytes of a body in one frame. */
#define CALL_DATA_MAX (64u << 10)
/** Largest file of authorities, in bytes. */
#define CALL_AUTHORITIES_MAX (4u << 20)

enum call_frame_type {
	CALL_FRAME_SETUP = 1, /* to sonde-net */
	CALL_FRAME_ASK,
	CALL_FRAME_MAKE_KEY,
	CALL_FRAME_READY = 17, /* from it */
	CALL_FRAME_HEAD,
	CALL_FRAME_DATA,
	CALL_FRAME_END,
	CALL_FRAME_KEY,
	CALL_FRAME_FAIL,
};

/** One frame. Borrows. */
struct call_frame {
	enum call_frame_type type;
	uint16_t number;
	str payload;
};

/** What sonde-net has to know before the first call. Borrows. */
struct call_setup {
	str endpoint, proxy; /* as in struct net_session_config; empty: none */
	str authorities;     /* PEM; empty: those of the system */
	uint32_t connect_timeout_ms;
};

/**
 * Take the first frame of what was received.
 *
 * In:      max_bytes  largest payload that may come here
 * Out:     bytes      without the frame, when it was whole
 *          ret        borrows; written on 1 only
 * Returns: 1; 0 when more has to be read; -EPROTO when this is no frame
 */
int call_frame_take(str *bytes, size_t max_bytes, struct call_frame *ret);

/** Begin a frame; what is added then is its payload. Returns: what call_frame_end() wants */
size_t call_frame_begin(struct buf *out, enum call_frame_type type, uint16_t number);

/** End the frame that begins at `at`. */
void call_frame_end(struct buf *out, size_t at);

/** Add a whole SETUP. */
void call_setup_add(struct buf *out, const struct call_setup *setup);

/** Read a SETUP. Returns: false when it is none, or could not be meant */
bool call_setup_read(str payload, struct call_setup *ret);

/**
 * Can this call be made?
 *
 * In:      call  whole: now, timeout_ms and max_answer_bytes are not 0
 * Returns: 0; -EINVAL, -ERR_LIMIT
 */
int call_check(const struct net_call *call, struct err *err);

/** Add a whole ASK. The call has passed call_check(); to_fd and fd stay here. */
void call_ask_add(struct buf *out, uint16_t number, const struct net_call *call);

/**
 * Read an ASK.
 *
 * In:      headers  room for those of the call
 * Out:     ret      borrows
 * Returns: false when it is none, or call_check() refuses it
 */
bool call_ask_read(
        str payload, struct net_header headers[NET_CALL_HEADERS_MAX], struct net_call *ret);

/** Most headers that a HEAD has: one for each name of interest. */
#define CALL_KEPT_MAX 5

/** The place of a header's name among those of interest; < 0 when it is of none. */
int call_kept_index(str name);

/** The name, in lower case, of a place that call_kept_index() gave; static. */
str call_kept_name(int i);

/** Add a whole HEAD: status, date_at, retry_after_s and headers of the answer. */
void call_head_add(struct buf *out, uint16_t number, const struct net_call_answer *answer);

/**
 * Read a HEAD.
 *
 * Out:     headers  room for the answer's
 *          ret      borrows
 * Returns: false when it is none, has a header that is not of interest or one twice, or a value
 *          with a control character
 */
bool call_head_read(
        str payload, struct net_header headers[CALL_KEPT_MAX], struct net_call_answer *ret);

/** Add a whole FAIL. Classes that net_call() does not name become -EIO. */
void call_fail_add(struct buf *out, uint16_t number, const struct err *err);

/** Read a FAIL. Returns: its class, with the sentence made fit to be shown; -EPROTO when none */
int call_fail_read(str payload, struct err *err);

/** Add a whole KEY. */
void call_key_add(struct buf *out, uint16_t number, str private_pem, str public_key);

/** Read a KEY. Returns: false when it is none: not PEM, not base64 */
bool call_key_read(str payload, str *ret_private_pem, str *ret_public_key);
