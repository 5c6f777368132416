/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * What `sonde` and `sonde-net` say to each other, over one socket that sonde-net has as its
 * descriptors 0 (the request), 1 (its answers) and 2 (so that what a library or the loader has to
 * say reaches the user as a sentence). The body goes to descriptor 3.
 *
 * The request, then an empty line:      The answers, in this order:
 *   url=https://...                       etag "..."          \  of the body that begins; left out
 *   etag="..."                            last_modified ...   /  when the server has none
 *   last_modified=...                     start AT ALL           bytes AT.. go to fd; ALL 0:
 * unknown; resume_at_bytes=N                                            it waits for the line "go"
 *   max_bytes=N                           progress DONE ALL      any time, at least every few
 * seconds timeout_s=N                           then one of max_attempts=N done N the body is in
 * fd, N bytes retry_wait_ms=N                       unchanged error CLASS TEXT
 */

#include "net/net.h"

#define NET_FD_BODY 3

/** The argument that starts sonde-net for calls instead: net/call_frame.h. */
#define NET_MODE_SESSION "session"

/** The argument that starts it for one signature, and its two answers: net/verify.h. */
#define NET_MODE_VERIFY "verify"
#define NET_VERIFIED "genuine\n"
#define NET_NOT_VERIFIED "not genuine\n"

/** Longest line, and longest request, in bytes. */
#define NET_LINE_MAX 2560
#define NET_REQUEST_MAX 8192

/** All answers to one request together, in bytes; a transfer of a day stays below. */
#define NET_ANSWERS_MAX (16u << 20)

/** A URL as it may be shown, with its NUL. */
#define NET_SHOWN_SIZE 112

/** The classes that sonde-net tells apart, by name: missing, limit, full and failed. */
const char *net_class_name(int code);

/**
 * The class of a name.
 *
 * Returns: as net_class_name has them; 0 for any other name
 */
int net_class_of(str name);

/** Is this an http or https URL of visible ASCII with a host, not longer than NET_URL_MAX? */
bool net_is_url(str s);

/** Is this an https URL? */
bool net_is_https(str url);

/** "host" or "host:port" of a URL, without user and password; borrows. */
str net_url_host(str url);

/** What follows the host: path, query and fragment; may be empty. Borrows. */
str net_url_path(str url);

/** Is this a URL that a path can be added to: without user, password, query and fragment? */
bool net_is_endpoint(str url);

/** Is the host of the URL this machine: localhost, 127.0.0.0/8 or ::1, written so? */
bool net_is_loopback(str url);

/** Is this an entity tag that we may send back (RFC 9110 section 8.8.3), weak or strong? */
bool net_is_etag(str s);

/** Is this made of the characters of an HTTP date, and as short as one? */
bool net_is_date(str s);

/**
 * Make a URL fit to be shown: without user name, password, query and fragment, which may be
 * secrets, without control characters, and cut to fit.
 */
void net_url_show(str url, char ret[NET_SHOWN_SIZE]);

/**
 * Copy what a stranger wrote into a sentence of ours: bytes that are not visible ASCII become '?'.
 *
 * Out:     ret  ended by a NUL; cut when `size` is too small
 */
void net_text_show(str text, char *ret, size_t size);
