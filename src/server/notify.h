/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * notify: tell the service manager how it stands, by one datagram.
 */

/**
 * Send a state: "READY=1", "STOPPING=1", "WATCHDOG=1". Nothing happens where nobody asked
 * ($NOTIFY_SOCKET is not set).
 *
 * Source:  sd_notify(3)
 */
void notify_send(const char *state);
