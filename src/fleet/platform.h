/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * platform: the names of distributions in the three vocabularies that meet here: what the stock
 * agent calls a platform, os-release's ID and VERSION_ID, and Inspector's word. platform.def is the
 * only list of them. Pure: no allocation, no I/O.
 */

#include "base/str.h"
#include "model/host.h"

/**
 * Which distribution and release a platform is.
 *
 * In:      name, version  PlatformName and PlatformVersion as agents send them: "Debian GNU/Linux"
 *                         and "12", "CentOS Linux" and "7.9.2009"; hostile
 * Out:     ret  os_id and os_codename static, os_version borrows from `version`; empty when the
 *               name is not known. Other fields untouched
 */
void platform_os(str name, str version, struct host *ret);

/** The package type of a distribution's own packages ("deb", "rpm", "apk"), by os-release's ID;
 * empty when unknown. Static. */
str platform_package_type(str os_id);

/** Room for Inspector's word. */
struct platform_text {
	char text[96];
};

/** Inspector's word for a host's platform: "DEBIAN_12", "UBUNTU_22_04", "AMAZON_LINUX_2023"; one
 * made in the same way for a distribution that Inspector does not scan ("ALPINE_3_18"); empty when
 * the distribution is unknown. */
struct platform_text platform_word(const struct host *os);
