/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
int main(void)
{
	return 0;
}
