/*
 * A talker or listener on Eclipse Cyclone DDS with ROS 2's type names.
 *
 *   peer pub|sub [--type string|float64|twist|pose|imu|image] [--topic rt/chatter] [--rel r|b] [--dur v|t] [--depth N]
 *                [--count N] [--rate HZ] [--text T] [--size BYTES] [--domain D] [--match N] [--timeout S] [--idle S]
 *                [--print 1]
 *
 * pub: waits for --match readers (exit 3 after --timeout), writes --count messages (0: until a signal) at --rate per
 *      second (0: as fast as possible), waits until they are acknowledged, and stays for --idle seconds.
 *      A text is --text and the message's number, with dots up to --size; an image has --size octets.
 * sub: ends after --count messages (0: until a signal), after --idle seconds without one, or (exit 3) when none comes
 *      within --timeout. With --print 1 each message is a line of JSON on stdout.
 * --depth 0 keeps all.
 * Both tell on stderr, one JSON object per line: {"ready":true}, {"matched":N} whenever it changes, {"sent":N} or
 * {"received":N} at the end.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "messages.h"

static volatile sig_atomic_t stopped;
static void on_signal(int number) { (void)number; stopped = 1; }

static double now(void) { return (double)dds_time() / 1e9; }

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
  for (int i = 2; i + 1 < argc; i += 2)
    if (!strcmp(argv[i], name)) return argv[i + 1];
  return otherwise;
}

struct options {
  const struct message_type *type;
  long count;
  int match, print;
  double rate, timeout, idle;
  const char *text;
  size_t size;
};

static int fail(const char *what, dds_return_t code)
{
  fprintf(stderr, "{\"error\":\"%s: %s\"}\n", what, dds_strretcode(-code));
  return 1;
}

static void tell_matched(int count, int *told)
{
  if (count == *told) return;
  *told = count;
  fprintf(stderr, "{\"matched\":%d}\n", count);
}

static int publish(dds_entity_t writer, const struct options *o)
{
  const double start = now();
  int told = 0;
  dds_publication_matched_status_t status;
  for (;;) {
    dds_get_publication_matched_status(writer, &status);
    tell_matched((int)status.current_count, &told);
    if (stopped || told >= o->match) break;
    if (now() - start > o->timeout) return 3;
    dds_sleepfor(DDS_MSECS(1));
  }
  void *message = calloc(1, o->type->size);
  char *text = malloc(strlen(o->text) + o->size + 32);
  unsigned char *data = malloc(o->size + 1);
  const double first = now();
  long sent = 0;
  while (!stopped && (o->count == 0 || sent < o->count)) {
    size_t length = (size_t)sprintf(text, "%s%ld", o->text, sent + 1);
    if (!o->type->is_sized) for (; length < o->size; length++) text[length] = '.';
    text[length] = 0;
    o->type->fill(message, sent + 1, text, data, o->size);
    const dds_return_t code = dds_write(writer, message);
    if (code < 0) return fail("write", code);
    sent++;
    dds_get_publication_matched_status(writer, &status);
    tell_matched((int)status.current_count, &told);
    while (o->rate > 0 && !stopped && now() < first + (double)sent / o->rate) dds_sleepfor(DDS_MSECS(1));
  }
  free(data);
  free(text);
  free(message);
  dds_wait_for_acks(writer, DDS_SECS(10));
  fprintf(stderr, "{\"sent\":%ld}\n", sent);
  for (const double end = now() + o->idle; !stopped && now() < end;) {
    dds_get_publication_matched_status(writer, &status);
    tell_matched((int)status.current_count, &told);
    dds_sleepfor(DDS_MSECS(5));
  }
  return 0;
}

#define BATCH 64

static int subscribe(dds_entity_t reader, const struct options *o)
{
  const double start = now();
  double latest = start;
  int told = 0;
  long received = 0;
  void *messages[BATCH] = {NULL};
  dds_sample_info_t infos[BATCH];
  while (!stopped && (o->count == 0 || received < o->count)) {
    dds_subscription_matched_status_t status;
    dds_get_subscription_matched_status(reader, &status);
    tell_matched((int)status.current_count, &told);
    const int taken = dds_take(reader, messages, infos, BATCH, BATCH);
    if (taken < 0) return fail("take", taken);
    for (int i = 0; i < taken; i++) {
      if (!infos[i].valid_data) continue;
      received++;
      latest = now();
      if (!o->print) continue;
      o->type->print(stdout, messages[i]);
      fputc('\n', stdout);
      fflush(stdout);
    }
    if (taken > 0) dds_return_loan(reader, messages, taken);
    else if (received > 0 && now() - latest > o->idle) break;
    else if (received == 0 && now() - start > o->timeout) return 3;
    else dds_sleepfor(DDS_MSECS(1));
  }
  fprintf(stderr, "{\"received\":%ld}\n", received);
  return 0;
}

int main(int argc, char **argv)
{
  const int pub = argc > 1 && !strcmp(argv[1], "pub");
  if (!pub && (argc < 2 || strcmp(argv[1], "sub"))) return 2;
  const struct options o = {
    .type = find_message_type(option(argc, argv, "--type", "string")),
    .count = atol(option(argc, argv, "--count", "10")),
    .match = atoi(option(argc, argv, "--match", "1")),
    .print = atoi(option(argc, argv, "--print", "0")),
    .rate = atof(option(argc, argv, "--rate", "10")),
    .timeout = atof(option(argc, argv, "--timeout", "10")),
    .idle = atof(option(argc, argv, "--idle", "1")),
    .text = option(argc, argv, "--text", "message "),
    .size = (size_t)atol(option(argc, argv, "--size", "0")),
  };
  if (o.type == NULL) return 2;
  const int reliable = option(argc, argv, "--rel", "r")[0] == 'r';
  const int transient_local = option(argc, argv, "--dur", "v")[0] == 't';
  const int depth = atoi(option(argc, argv, "--depth", "10"));

  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  const dds_domainid_t domain = (dds_domainid_t)atoi(option(argc, argv, "--domain", "0"));
  const dds_entity_t participant = dds_create_participant(domain, NULL, NULL);
  if (participant < 0) return fail("participant", participant);
  const dds_entity_t topic =
    dds_create_topic(participant, o.type->descriptor, option(argc, argv, "--topic", "rt/chatter"), NULL, NULL);
  if (topic < 0) return fail("topic", topic);
  dds_qos_t *qos = dds_create_qos();
  dds_qset_reliability(qos, reliable ? DDS_RELIABILITY_RELIABLE : DDS_RELIABILITY_BEST_EFFORT, DDS_SECS(10));
  dds_qset_durability(qos, transient_local ? DDS_DURABILITY_TRANSIENT_LOCAL : DDS_DURABILITY_VOLATILE);
  const dds_history_kind_t history = depth > 0 ? DDS_HISTORY_KEEP_LAST : DDS_HISTORY_KEEP_ALL;
  dds_qset_history(qos, history, depth);
  dds_qset_durability_service(qos, 0, history, depth > 0 ? depth : -1, -1, -1, -1);
  const dds_entity_t endpoint =
    pub ? dds_create_writer(participant, topic, qos, NULL) : dds_create_reader(participant, topic, qos, NULL);
  dds_delete_qos(qos);
  if (endpoint < 0) return fail("endpoint", endpoint);
  fprintf(stderr, "{\"ready\":true}\n");
  const int code = pub ? publish(endpoint, &o) : subscribe(endpoint, &o);
  dds_delete(participant);
  return code;
}
