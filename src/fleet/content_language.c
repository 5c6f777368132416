/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Custom:InspectorThirdPartyPackage: what a deep inspection found. Amazon has not published its
 * columns; ours are Name, Version, PackageManager and Path, and the words that its API uses for
 * them elsewhere are understood too. The package managers, in Inspector's words, stand here.
 */
#include "fleet/content_rows.h"

/*
 * Words for package managers, and the package-URL types they mean. Of the words of one type the
 * first is the one that is written. Sources: Inspector's API, enumeration PackageManager, and words
 * that it answers beside it; package-URL types are understood as well.
 */
static const struct manager {
	const char *word;
	str type;
} managers[] = {
	{ "PYTHONPKG", STR("pypi") },
	{ "PYTHON", STR("pypi") },
	{ "PIP", STR("pypi") },
	{ "PIPENV", STR("pypi") },
	{ "POETRY", STR("pypi") },
	{ "PYPI", STR("pypi") },
	{ "NODEPKG", STR("npm") },
	{ "NODE", STR("npm") },
	{ "NPM", STR("npm") },
	{ "YARN", STR("npm") },
	{ "JAR", STR("maven") },
	{ "POM", STR("maven") },
	{ "MAVEN", STR("maven") },
	{ "GOBINARY", STR("golang") },
	{ "GOMOD", STR("golang") },
	{ "GO", STR("golang") },
	{ "GOLANG", STR("golang") },
	{ "GEMSPEC", STR("gem") },
	{ "BUNDLER", STR("gem") },
	{ "GEM", STR("gem") },
	{ "CARGO", STR("cargo") },
	{ "COMPOSER", STR("composer") },
	{ "DOTNET_CORE", STR("nuget") },
	{ "NUGET", STR("nuget") },
};

#define N_MANAGERS (sizeof(managers) / sizeof(managers[0]))

const char *content_package_manager(str type)
{
	if (str_eq(type, STR("deb")) || str_eq(type, STR("rpm")) || str_eq(type, STR("apk")))
		return "OS";
	for (size_t i = 0; i < N_MANAGERS; i++) {
		if (str_eq(type, managers[i].type))
			return managers[i].word;
	}
	return NULL;
}

str content_package_type(str manager)
{
	for (size_t i = 0; i < N_MANAGERS; i++) {
		if (str_eq_nocase(manager, str_from_c(managers[i].word)))
			return managers[i].type;
	}
	return (str){ NULL, 0 };
}

struct row {
	str name, version, manager, path;
};

static const struct column columns[] = {
	COLUMN(struct row, "Name", name),
	COLUMN(struct row, "PackageName", name),
	COLUMN(struct row, "Version", version),
	COLUMN(struct row, "PackageVersion", version),
	COLUMN(struct row, "InstalledVersion", version),
	COLUMN(struct row, "PackageManager", manager),
	COLUMN(struct row, "Path", path),
	COLUMN(struct row, "FilePath", path),
};

static void take_row(struct content_job *job, void *at)
{
	const struct row *row = at;
	struct package pkg = {
		.type = content_package_type(row->manager),
		.name = row->name,
		.version = row->version,
		.path = row->path,
		.confidence = CONFIDENCE_HIGH,
	};
	pkg.reader = pkg.type;
	if (pkg.type.n == 0)
		content_refuse(job, SKIP_DAMAGE,
		        row->manager.n > 0 ? "has a package manager that is not known"
		                           : "has no package manager");
	else
		content_offer(job, &pkg);
}

static void read_rows(struct content_job *job)
{
	struct row row;
	content_rows(job, ROW_FORM(row, columns), &row, take_row);
}

const struct content_type content_third_party = {
	.type = STR(CONTENT_THIRD_PARTY),
	.is_packages = true,
	.is_language = true,
	.read = read_rows,
};
