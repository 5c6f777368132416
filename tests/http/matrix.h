/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The smuggling matrix: requests that two programs could read differently, and beside each kind the
 * nearest request that is sound. One list for the readers' tests, for a server on a socket, and for
 * the comparison with another server.
 *
 * Sources: RFC 9112 sections 2.2, 3, 5, 6, 7 and 11.2; published request-smuggling techniques
 * (CL.TE, TE.CL, TE.TE, CL.0, obsolete folding, chunk extensions)
 */

#include "base/str.h"

struct matrix_row {
	int status; /* 200: is accepted; else the refusal */
	const char *name;
	str bytes;
};

#define ROW(status, name, text)                                                                    \
	{                                                                                          \
		status, name,                                                                      \
		{                                                                                  \
			text, sizeof(text) - 1                                                     \
		}                                                                                  \
	}
#define HOST "Host: a.example\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST /p HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

static const struct matrix_row matrix[] = {
	/* sound */
	ROW(200, "a plain GET", GET "\r\n"),
	ROW(200, "HTTP/1.0 without Host", "GET /a HTTP/1.0\r\n\r\n"),
	ROW(200, "a body with a length", POST "Content-Length: 5\r\n\r\nhello"),
	ROW(200, "an empty body", POST "Content-Length: 0\r\n\r\n"),
	ROW(200, "a chunked body", CHUNKED "5\r\nhello\r\n0\r\n\r\n"),
	ROW(200, "chunk sizes in both cases",
	        CHUNKED "0a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
	ROW(200, "a query and percent signs", "GET /a%2Fb?x=%41&y HTTP/1.1\r\n" HOST "\r\n"),
	ROW(200, "white space around a value", GET "X-A: \t b c \t\r\n\r\n"),
	ROW(200, "an empty value", GET "X-A:\r\n\r\n"),
	ROW(200, "bytes above ASCII in a value", GET "X-A: caf\xc3\xa9\r\n\r\n"),
	ROW(200, "a host with a port", "GET / HTTP/1.1\r\nhost: [::1]:8443\r\n\r\n"),
	/* where the body ends */
	ROW(400, "length and chunked",
	        POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	ROW(400, "chunked and length",
	        POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
	ROW(400, "two lengths", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
	ROW(400, "two equal lengths", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
	ROW(400, "a list of lengths", POST "Content-Length: 5, 5\r\n\r\nhello"),
	ROW(400, "a length with plus", POST "Content-Length: +5\r\n\r\nhello"),
	ROW(400, "a length with minus", POST "Content-Length: -5\r\n\r\nhello"),
	ROW(400, "a length in hexadecimal", POST "Content-Length: 0x5\r\n\r\nhello"),
	ROW(400, "a length with leading zeros", POST "Content-Length: 005\r\n\r\nhello"),
	ROW(400, "a length with a space inside", POST "Content-Length: 1 0\r\n\r\nhello"),
	ROW(400, "a length with a letter", POST "Content-Length: 5x\r\n\r\nhello"),
	ROW(400, "a length with a vertical tab", POST "Content-Length: \v5\r\n\r\nhello"),
	ROW(400, "an empty length", POST "Content-Length:\r\n\r\nhello"),
	ROW(400, "a length beyond 64 bits",
	        POST "Content-Length: 18446744073709551621\r\n\r\nhello"),
	ROW(400, "gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
	ROW(400, "identity", POST "Transfer-Encoding: identity\r\n\r\n"),
	ROW(400, "xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
	ROW(400, "chunked in quotes", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
	ROW(400, "chunked twice in a list",
	        POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
	ROW(400, "chunked in two fields",
	        POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	ROW(400, "chunked, then identity",
	        POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
	ROW(400, "chunked with a parameter",
	        POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
	ROW(400, "chunked behind a vertical tab",
	        POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"),
	ROW(400, "chunked on a folded line",
	        POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
	ROW(400, "an empty encoding", POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"),
	ROW(400, "chunked in HTTP/1.0",
	        "POST /p HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	/* names and lines */
	ROW(400, "a space before the colon", POST "Content-Length : 5\r\n\r\nhello"),
	ROW(400, "a tab before the colon", POST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
	ROW(400, "an empty name", GET ": x\r\n\r\n"),
	ROW(400, "a line without a colon", GET "X-A\r\n\r\n"),
	ROW(400, "a name with a parenthesis", GET "X(A): b\r\n\r\n"),
	ROW(400, "a name with NUL", GET "X\0A: b\r\n\r\n"),
	ROW(400, "a folded line", GET "X-A: b\r\n c\r\n\r\n"),
	ROW(400, "a folded line with a tab", GET "X-A: b\r\n\tc\r\n\r\n"),
	ROW(400, "white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
	ROW(400, "a bare LF behind a field", GET "X-A: b\nX-B: c\r\n\r\n"),
	ROW(400, "a bare LF behind the request line", "GET / HTTP/1.1\n" HOST "\r\n"),
	ROW(400, "a bare LF at the end of the head", GET "\n"),
	ROW(400, "a bare CR in a value", GET "X-A: b\rTransfer-Encoding: chunked\r\n\r\n"),
	ROW(400, "a bare CR behind a field", GET "X-A: b\r\rX-B: c\r\n\r\n"),
	ROW(400, "a bare CR at the end of the head", GET "\rX\r\n"),
	ROW(400, "NUL in a value", GET "X-A: b\0c\r\n\r\n"),
	ROW(400, "a control character in a value", GET "X-A: b\x01\r\n\r\n"),
	ROW(400, "DEL in a value", GET "X-A: b\x7f\r\n\r\n"),
	ROW(400, "an empty line before the request", "\r\n" GET "\r\n"),
	/* host */
	ROW(400, "no Host", "GET / HTTP/1.1\r\n\r\n"),
	ROW(400, "two Hosts", GET HOST "\r\n"),
	ROW(400, "two different Hosts", GET "Host: b.example\r\n\r\n"),
	ROW(400, "an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
	ROW(400, "a Host with a user", "GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n"),
	ROW(400, "a Host with a path", "GET / HTTP/1.1\r\nHost: a.example/b\r\n\r\n"),
	ROW(400, "a list of Hosts", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
	/* request line */
	ROW(400, "two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "two spaces before the version", "GET /  HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "a tab in the request line", "GET\t/ HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "a tab before the version", "GET /\tHTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "a space behind the version", "GET / HTTP/1.1 \r\n" HOST "\r\n"),
	ROW(400, "a space before the method", " GET / HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "a method that is no token", "G{T / HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "a lower-case version", "GET / http/1.1\r\n" HOST "\r\n"),
	ROW(400, "a version of three digits", "GET / HTTP/1.10\r\n" HOST "\r\n"),
	ROW(400, "absolute form", "GET http://a.example/ HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "authority form", "CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "asterisk form", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "a fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "a backslash", "GET /a\\b HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "a percent sign alone", "GET /a%2 HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "NUL in the target", "GET /a\0b HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "bytes above ASCII in the target", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"),
	ROW(400, "a bare CR in the target", "GET /a\rb HTTP/1.1\r\n" HOST "\r\n"),
	ROW(505, "HTTP/0.9", "GET /\r\n"),
	ROW(505, "HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n"),
	ROW(505, "HTTP/2.0", "GET / HTTP/2.0\r\n" HOST "\r\n"),
	ROW(400, "the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	ROW(417, "another expectation", POST "Expect: 200-maybe\r\nContent-Length: 5\r\n\r\nhello"),
	/* chunks */
	ROW(400, "a chunk extension", CHUNKED "5;a=b\r\nhello\r\n0\r\n\r\n"),
	ROW(400, "a space behind a chunk size", CHUNKED "5 \r\nhello\r\n0\r\n\r\n"),
	ROW(400, "a space before a chunk size", CHUNKED " 5\r\nhello\r\n0\r\n\r\n"),
	ROW(400, "a chunk size with 0x", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n"),
	ROW(400, "a chunk size with plus", CHUNKED "+5\r\nhello\r\n0\r\n\r\n"),
	ROW(400, "a chunk size with minus", CHUNKED "-5\r\nhello\r\n0\r\n\r\n"),
	ROW(400, "an empty chunk size", CHUNKED "\r\nhello\r\n0\r\n\r\n"),
	ROW(400, "a chunk size beyond 64 bits", CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n"),
	ROW(400, "a bare LF behind a chunk size", CHUNKED "5\nhello\r\n0\r\n\r\n"),
	ROW(400, "a bare CR behind a chunk size", CHUNKED "5\rXhello\r\n0\r\n\r\n"),
	ROW(400, "a bare LF behind a chunk", CHUNKED "5\r\nhello\n0\r\n\r\n"),
	ROW(400, "a chunk longer than its size", CHUNKED "4\r\nhello\r\n0\r\n\r\n"),
	ROW(400, "a bare LF at the end", CHUNKED "0\r\n\n"),
	ROW(400, "a trailer", CHUNKED "0\r\nX-A: b\r\n\r\n"),
	ROW(400, "a trailer with a length", CHUNKED "0\r\nContent-Length: 5\r\n\r\n"),
	ROW(413, "a chunk of 4 GiB", CHUNKED "ffffffff\r\nhello"),
	ROW(413, "a length of 1 TB", POST "Content-Length: 1000000000000\r\n\r\nhello"),
};

#define MATRIX_ROWS (sizeof(matrix) / sizeof(matrix[0]))
