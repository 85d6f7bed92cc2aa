/*
 * A talker or listener on Eclipse Cyclone DDS with ROS 2's type names.
 *
 *   peer pub|sub [--type string|float64|twist|pose|imu|image|status] [--topic rt/chatter] [--rel r|b] [--dur v|t] [--depth N]
 *                [--count N] [--rate HZ] [--text T] [--size BYTES] [--domain D] [--match N] [--timeout S] [--idle S]
 *                [--print 1] [--deadline MS] [--lifespan MS] [--liveliness a|p|t] [--liveliness-lease MS] [--assert 1]
 *                [--ownership s|e] [--strength N] [--partition P] [--xcdr 1|2] [--validate 1] [--others N]
 *
 * pub: waits for --match readers (exit 3 after --timeout), writes --count messages (0: until a signal) at --rate per
 *      second (0: as fast as possible), waits until they are acknowledged, and stays for --idle seconds.
 *      A text is --text and the message's number, with dots up to --size; an image has --size octets.
 * sub: ends after --count messages (0: until a signal), after --idle seconds without one, or (exit 3) when none comes
 *      within --timeout. With --print 1 each message is a line of JSON on stdout.
 * --depth 0 keeps all. --liveliness is automatic, manual by participant or by topic; with --assert a talker shows it while
 * it only stays. With --xcdr it writes or reads that
 * representation alone, with --validate it matches only what announces the structure of its type. --others are further
 * endpoints of its kind, of the topics whose names have _1, _2, ... behind that of the first, which do nothing.
 * Both tell on stderr, one JSON object per line: {"ready":true}; when they change {"matched":N}, {"incompatible":P} (the
 * last policy's DDS id), {"missed":N} deadlines and, of a listener, {"alive":N} writers; {"sent":N} or {"received":N} at
 * the end.
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
  int match, print, assert_liveliness;
  double rate, timeout, idle;
  const char *text;
  size_t size;
};

static int fail(const char *what, dds_return_t code)
{
  fprintf(stderr, "{\"error\":\"%s: %s\"}\n", what, dds_strretcode(-code));
  return 1;
}

/* What the endpoint's statuses said last. */
static struct { int matched, incompatible, missed, alive; } told;

static void tell(const char *what, int value, int *last)
{
  if (value == *last) return;
  *last = value;
  fprintf(stderr, "{\"%s\":%d}\n", what, value);
}

static void observe_writer(dds_entity_t writer)
{
  dds_publication_matched_status_t matched;
  dds_get_publication_matched_status(writer, &matched);
  tell("matched", (int)matched.current_count, &told.matched);
  dds_offered_incompatible_qos_status_t incompatible;
  dds_get_offered_incompatible_qos_status(writer, &incompatible);
  tell("incompatible", (int)incompatible.last_policy_id, &told.incompatible);
  dds_offered_deadline_missed_status_t missed;
  dds_get_offered_deadline_missed_status(writer, &missed);
  tell("missed", (int)missed.total_count, &told.missed);
}

static void observe_reader(dds_entity_t reader)
{
  dds_subscription_matched_status_t matched;
  dds_get_subscription_matched_status(reader, &matched);
  tell("matched", (int)matched.current_count, &told.matched);
  dds_requested_incompatible_qos_status_t incompatible;
  dds_get_requested_incompatible_qos_status(reader, &incompatible);
  tell("incompatible", (int)incompatible.last_policy_id, &told.incompatible);
  dds_requested_deadline_missed_status_t missed;
  dds_get_requested_deadline_missed_status(reader, &missed);
  tell("missed", (int)missed.total_count, &told.missed);
  dds_liveliness_changed_status_t liveliness;
  dds_get_liveliness_changed_status(reader, &liveliness);
  tell("alive", (int)liveliness.alive_count, &told.alive);
}

static int publish(dds_entity_t writer, const struct options *o)
{
  const double start = now();
  for (;;) {
    observe_writer(writer);
    if (stopped || told.matched >= o->match) break;
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
    observe_writer(writer);
    while (o->rate > 0 && !stopped && now() < first + (double)sent / o->rate) {
      observe_writer(writer);
      dds_sleepfor(DDS_MSECS(1));
    }
  }
  free(data);
  free(text);
  free(message);
  dds_wait_for_acks(writer, DDS_SECS(10));
  fprintf(stderr, "{\"sent\":%ld}\n", sent);
  for (const double end = now() + o->idle; !stopped && now() < end;) {
    observe_writer(writer);
    if (o->assert_liveliness) dds_assert_liveliness(writer);
    dds_sleepfor(DDS_MSECS(5));
  }
  return 0;
}

#define BATCH 64

static int subscribe(dds_entity_t reader, const struct options *o)
{
  const double start = now();
  double latest = start;
  long received = 0;
  void *messages[BATCH] = {NULL};
  dds_sample_info_t infos[BATCH];
  while (!stopped && (o->count == 0 || received < o->count)) {
    observe_reader(reader);
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

/* The QoS that the command line asks for. */
static dds_qos_t *endpoint_qos(int argc, char **argv)
{
  const int reliable = option(argc, argv, "--rel", "r")[0] == 'r';
  const int transient_local = option(argc, argv, "--dur", "v")[0] == 't';
  const int depth = atoi(option(argc, argv, "--depth", "10"));
  dds_qos_t *qos = dds_create_qos();
  dds_qset_reliability(qos, reliable ? DDS_RELIABILITY_RELIABLE : DDS_RELIABILITY_BEST_EFFORT, DDS_SECS(10));
  dds_qset_durability(qos, transient_local ? DDS_DURABILITY_TRANSIENT_LOCAL : DDS_DURABILITY_VOLATILE);
  const dds_history_kind_t history = depth > 0 ? DDS_HISTORY_KEEP_LAST : DDS_HISTORY_KEEP_ALL;
  dds_qset_history(qos, history, depth);
  dds_qset_durability_service(qos, 0, history, depth > 0 ? depth : -1, -1, -1, -1);
  const int deadline = atoi(option(argc, argv, "--deadline", "0"));
  if (deadline > 0) dds_qset_deadline(qos, DDS_MSECS(deadline));
  const int lifespan = atoi(option(argc, argv, "--lifespan", "0"));
  if (lifespan > 0) dds_qset_lifespan(qos, DDS_MSECS(lifespan));
  const char liveliness = option(argc, argv, "--liveliness", "a")[0];
  const int lease = atoi(option(argc, argv, "--liveliness-lease", "0"));
  dds_qset_liveliness(
    qos,
    liveliness == 'a' ? DDS_LIVELINESS_AUTOMATIC
    : liveliness == 'p' ? DDS_LIVELINESS_MANUAL_BY_PARTICIPANT : DDS_LIVELINESS_MANUAL_BY_TOPIC,
    lease > 0 ? DDS_MSECS(lease) : DDS_INFINITY);
  if (option(argc, argv, "--ownership", "s")[0] == 'e') dds_qset_ownership(qos, DDS_OWNERSHIP_EXCLUSIVE);
  dds_qset_ownership_strength(qos, atoi(option(argc, argv, "--strength", "0")));
  const char *partition = option(argc, argv, "--partition", "");
  if (partition[0] != 0) dds_qset_partition1(qos, partition);
  const char xcdr = option(argc, argv, "--xcdr", "-")[0];
  const dds_data_representation_id_t representation =
    xcdr == '1' ? DDS_DATA_REPRESENTATION_XCDR1 : DDS_DATA_REPRESENTATION_XCDR2;
  if (xcdr != '-') dds_qset_data_representation(qos, 1, &representation);
  if (atoi(option(argc, argv, "--validate", "0")))
    dds_qset_type_consistency(qos, DDS_TYPE_CONSISTENCY_ALLOW_TYPE_COERCION, true, true, false, false, true);
  return qos;
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
    .assert_liveliness = atoi(option(argc, argv, "--assert", "0")),
    .rate = atof(option(argc, argv, "--rate", "10")),
    .timeout = atof(option(argc, argv, "--timeout", "10")),
    .idle = atof(option(argc, argv, "--idle", "1")),
    .text = option(argc, argv, "--text", "message "),
    .size = (size_t)atol(option(argc, argv, "--size", "0")),
  };
  if (o.type == NULL) return 2;
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  const dds_domainid_t domain = (dds_domainid_t)atoi(option(argc, argv, "--domain", "0"));
  const dds_entity_t participant = dds_create_participant(domain, NULL, NULL);
  if (participant < 0) return fail("participant", participant);
  const char *name = option(argc, argv, "--topic", "rt/chatter");
  const dds_entity_t topic = dds_create_topic(participant, o.type->descriptor, name, NULL, NULL);
  if (topic < 0) return fail("topic", topic);
  dds_qos_t *qos = endpoint_qos(argc, argv);
  const dds_entity_t endpoint =
    pub ? dds_create_writer(participant, topic, qos, NULL) : dds_create_reader(participant, topic, qos, NULL);
  if (endpoint < 0) return fail("endpoint", endpoint);
  char *other_name = malloc(strlen(name) + 32);
  for (int i = 1; i <= atoi(option(argc, argv, "--others", "0")); i++) {
    sprintf(other_name, "%s_%d", name, i);
    const dds_entity_t other = dds_create_topic(participant, o.type->descriptor, other_name, NULL, NULL);
    if (other < 0) return fail("topic", other);
    const dds_entity_t idle =
      pub ? dds_create_writer(participant, other, qos, NULL) : dds_create_reader(participant, other, qos, NULL);
    if (idle < 0) return fail("endpoint", idle);
  }
  free(other_name);
  dds_delete_qos(qos);
  fprintf(stderr, "{\"ready\":true}\n");
  const int code = pub ? publish(endpoint, &o) : subscribe(endpoint, &o);
  dds_delete(participant);
  return code;
}
