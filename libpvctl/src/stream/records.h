/* SPDX-License-Identifier: MIT */
/* What each record may be: how long, how often, after which others. */
#ifndef STREAM_RECORDS_H
#define STREAM_RECORDS_H

#include "stream/reader.h"

#define STREAM_PASS_OVER 1
/* By its head: 0, STREAM_PASS_OVER (optional, and not known), or a code. */
int stream_check_record(struct stream_reader *r, struct pvctl_error *err);
/* With its body there. */
int stream_check_body(struct stream_reader *r, struct pvctl_error *err);

#endif
