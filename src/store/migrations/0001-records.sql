-- SPDX-License-Identifier: Apache-2.0
-- The records, in two tables of the same columns: which one a record stands in follows from its kind.
--
-- "short" holds values of up to some kilobytes beside their keys, in one tree (WITHOUT ROWID): a look-up is one search,
-- a scan reads neighbouring pages. Long values would make such a tree slow, because its inner pages carry values too;
-- "large" is therefore a table by row number with an index of addresses: the index stays small whatever the values weigh.
--
-- The kind stands first, because a start reads kind after kind over all accounts: each is one run of pages. Every
-- statement of one record names account and bucket; a database that is divided among machines may put those first.
--
-- "sum" is a CRC-32 of address and value: SQLite itself does not notice when the disk changes a byte of a value.
CREATE TABLE short (
	account INTEGER NOT NULL,
	bucket INTEGER NOT NULL,
	kind INTEGER NOT NULL,
	key BLOB NOT NULL,
	value BLOB NOT NULL,
	sum INTEGER NOT NULL,
	PRIMARY KEY (kind, account, bucket, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE large (
	id INTEGER PRIMARY KEY,
	account INTEGER NOT NULL,
	bucket INTEGER NOT NULL,
	kind INTEGER NOT NULL,
	key BLOB NOT NULL,
	value BLOB NOT NULL,
	sum INTEGER NOT NULL,
	UNIQUE (kind, account, bucket, key)
) STRICT;
