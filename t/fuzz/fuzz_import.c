/*
 * Copyright (C) the ngx_rooms_module authors
 * SPDX-License-Identifier: BSD-2-Clause
 */

/*
 * libFuzzer: any bytes as the manifest.json of an import.  An accepted
 * manifest can be written, has the measured size, and can be imported again.
 */

#include "../unit/bundle_import.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    import_t  t;

    import_twice(&t, data, size);

    if (t.broken) {
        fprintf(stderr, "%s\n", t.broken);
        abort();
    }

    import_cleanup(&t);

    return 0;
}
