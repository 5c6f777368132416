/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The only description of what stands on disk: the feed store and the compiled database.
 * docs/vulndb-format.md tells the same in prose; when one changes, so does the other, and the
 * version.
 *
 * Primitives
 *   u8, u32, u64   little-endian
 *   number         unsigned LEB128, at most 10 bytes
 *   text           number of bytes, then the bytes
 *   list           number of texts, then each
 *   crc            u32, CRC-32 (IEEE 802.3)
 *
 * Pieces of an advisory
 *   HEAD   u8 flags (1: uses_related); text title, published, modified, withdrawn;
 *          list aliases, upstream, related;
 *          number of severities, each: text type, text score
 *   COLD   text details; list references;
 *          number affected, each: text ecosystem, text package, BODY
 *   BODY   number of ranges, each: u8 flags (1: semver), number of events,
 *          each: u8 kind, text version;
 *          list versions
 *
 * Feed store, one file per source
 *   HEADER    FEED_HEADER_BYTES: FEED_MAGIC, u32 version, the members that store.c writes,
 *             zeros, and in the last four bytes a crc of all before it
 *   frames    u32 length, crc of the payload, payload;
 *             sorted by id (OSV), or by year and number (tables of CVEs)
 *   TRAILER   u32 zero, FEED_END, u64 number of frames, crc of these 16 bytes
 *
 *   payload of OSV         text id, text HEAD, number of bytes of COLD, text COLD (zstd),
 *                          number affected, each: text ecosystem, text package, text BODY
 *   payload of EPSS, KEV   PAGE
 *
 *   PAGE   u32 year, u32 count, each: u32 number, u32 value;
 *          sorted by number, one year a page, at most PAGE_ROWS.
 *          EPSS: the value is the probability in units of 1e-9.
 *          KEV: the day it was added as YYYYMMDD, or 0.
 *
 * Compiled database, one SQLite file per source, with DB_APPLICATION as its application_id and
 * DB_VERSION as its user_version
 *   OSV      record(n INTEGER PRIMARY KEY, value BLOB)
 *              n      counts the records of the source in the order of their ids, from 1
 *              value  text id, text HEAD, crc
 *            detail(n INTEGER PRIMARY KEY, value BLOB)
 *              n      as in record
 *              value  number of bytes of COLD, text COLD (zstd), crc
 *            name(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID
 *              key    an id, alias, upstream id, or (where the source uses it so) related id
 *              value  number of records, each: number n, ascending; crc
 *            package(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID
 *              key    ecosystem with release, a zero byte, the package's normal name
 *              value  number of entries, each: text record id, text package as written (empty
 *                     when it is the normal name), text BODY; by record and position; crc
 *   others   page(n INTEGER PRIMARY KEY, value BLOB)
 *              n      year << 32 | first number of the page
 *              value  PAGE, crc
 *   A crc here covers the key (an integer key as u64), then the value before the crc.
 *
 * Filters, one file for all sources
 *   FILTER_MAGIC, u32 version, u32 number of sources; each, in the order of the manifest:
 *   u32 bytes, crc of the bytes, and a Bloom filter over the keys of its tables `name` and
 *   `package` (filter.h); no bytes when it has no such tables
 */

#include <stdint.h>

/** First bytes of a feed file, its version, and its end. */
#define FEED_MAGIC "sondefd\n"
#define FEED_VERSION 1u
#define FEED_END "fdend\r\n\n"
#define FEED_HEADER_BYTES 4096u
#define FEED_TRAILER_BYTES 24u

/** "SnVD", as SQLite's application_id, and the version of the tables above as its user_version. */
#define DB_APPLICATION 0x536e5644
#define DB_VERSION 2
#define DB_PAGE_BYTES 4096

/** First bytes of the file of filters, and its version. */
#define FILTER_MAGIC "sondeft\n"
#define FILTER_VERSION 2u
#define FILTER_MAX_BYTES ((size_t)1 << 30)

/** `format` of manifest.json, before and after the slash. */
#define MANIFEST_FORMAT "sonde.vulndb"
#define MANIFEST_VERSION 2u
#define MANIFEST_NAME "manifest.json"
#define STAMP_NAME "verified"
#define PREVIOUS_NAME ".previous" /* the manifest before, while its files are kept */

/** Limits. What passes one is REASON_TOO_LARGE or unusable, and said. */
#define RECORD_MAX_BYTES ((size_t)16 << 20)   /* JSON text of one record */
#define RECORD_MAX_MEMORY ((size_t)192 << 20) /* of one record, taken apart */
#define FRAME_MAX_BYTES ((size_t)64 << 20)
#define ROW_MAX_BYTES ((size_t)256 << 20) /* one row of `package` */
#define ID_MAX_BYTES 255u
#define ECOSYSTEM_MAX_BYTES 255u
#define PACKAGE_MAX_BYTES 1024u
#define VERSION_TEXT_MAX_BYTES 512u
#define SOURCE_MAX_BYTES 127u
#define LICENCE_MAX_BYTES 1023u
#define RECORDS_MAX 4000000u /* of one source */
#define PAGE_ROWS 500u       /* entries of a PAGE: one fills a leaf of DB_PAGE_BYTES */
