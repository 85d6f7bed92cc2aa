#ifndef MESSAGES_H
#define MESSAGES_H
#include <stdio.h>
#include "dds/dds.h"

/* One of the message types that the peer can talk and hear. */
struct message_type {
  const char *name;
  const dds_topic_descriptor_t *descriptor;
  size_t size;
  /* Whether the size is that of its data, not of its text. */
  int is_sized;
  /* Fills a zeroed message with values that tell the number i. `text` is for the types that have one, `data` of `size`
   * octets for images; both are lent. */
  void (*fill)(void *message, long i, char *text, unsigned char *data, size_t size);
  /* Prints the message as one JSON object without a line end. */
  void (*print)(FILE *out, const void *message);
};

/* NULL when there is no type of that name. */
const struct message_type *find_message_type(const char *name);
#endif
