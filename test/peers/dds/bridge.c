/*
 * A bridge between ROS 2 and MQTT as one writes it in C, on Eclipse Cyclone DDS and libmosquitto, and the talker and
 * listener that put a load on a bridge: for the bench to compare with.
 *
 *   bridge out|in|talk|hear --type string|imu|scan|cloud|image --domain D --topic rt/NAME
 *
 * out:  publishes every sample's CDR on --mqtt-topic of the broker at --port of this machine, at QoS --qos (0).
 * in:   writes every message of --mqtt-topic, CDR, to the topic; subscribes at that QoS.
 * talk: writes the CDR in the file --cdr: as many as the 32-bit numbers on stdin say, as they come, or with --rate so
 *       many a second, --count in all, from the first number on. With --stamp OFFSET 16 digits there are the time of CLOCK_MONOTONIC in nanoseconds.
 * hear: tells the number of samples in each batch as 32 bits on stdout. With --stamp OFFSET, at the end of stdin,
 *       {"p50":US,"p99":US} of how long they took.
 * All is reliable on the side of ROS. All tell {"ready":true} on stderr: out and in when they are connected, talk when
 * it has a reader, hear when it has a writer.
 */
#include <mosquitto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "dds/dds.h"
#include "dds/ddsi/ddsi_serdata.h"
#include "dds/ddsi/ddsi_sertype.h"
#include "ros_types.h"

#define BATCH 256
#define MAX_TIMES 200000
#define STAMP_DIGITS 16
#define MOST_IN_FLIGHT 65535

static volatile sig_atomic_t stopped;
static void on_signal(int number) { (void)number; stopped = 1; }

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
  for (int i = 2; i + 1 < argc; i += 2)
    if (!strcmp(argv[i], name)) return argv[i + 1];
  return otherwise;
}

static const struct { const char *name; const dds_topic_descriptor_t *descriptor; } types[] = {
  {"string", &std_msgs_msg_dds__String__desc},
  {"imu", &sensor_msgs_msg_dds__Imu__desc},
  {"scan", &sensor_msgs_msg_dds__LaserScan__desc},
  {"cloud", &sensor_msgs_msg_dds__PointCloud2__desc},
  {"image", &sensor_msgs_msg_dds__Image__desc},
};

static dds_entity_t participant, endpoint;
static const struct ddsi_sertype *sertype;

static void fail(const char *what)
{
  fprintf(stderr, "{\"error\":\"%s\"}\n", what);
  exit(1);
}

static void tell_ready(void) { fputs("{\"ready\":true}\n", stderr); }

/* Cyclone DDS makes its form of a type with a topic, and shows it in samples alone. */
static const struct ddsi_sertype *sertype_of(const dds_topic_descriptor_t *descriptor)
{
  const dds_entity_t topic = dds_create_topic(participant, descriptor, "type", NULL, NULL);
  const dds_entity_t reader = dds_create_reader(participant, topic, NULL, NULL);
  const dds_entity_t writer = dds_create_writer(participant, topic, NULL, NULL);
  void *sample = calloc(1, descriptor->m_size);
  struct ddsi_serdata *data;
  dds_sample_info_t info;
  if (dds_write(writer, sample) < 0 || dds_takecdr(reader, &data, 1, &info, DDS_ANY_STATE) != 1) fail("type");
  free(sample);
  dds_delete(writer);
  dds_delete(reader);
  /* The sample stays, and with it its type. */
  return data->type;
}

static void open_endpoint(const char *type, const char *topic_name, int is_writer)
{
  const dds_topic_descriptor_t *descriptor = NULL;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (!strcmp(types[i].name, type)) descriptor = types[i].descriptor;
  if (descriptor == NULL) fail("unknown type");
  const dds_entity_t topic = dds_create_topic(participant, descriptor, topic_name, NULL, NULL);
  dds_qos_t *qos = dds_create_qos();
  dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_SECS(10));
  dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, 2000);
  endpoint = is_writer ? dds_create_writer(participant, topic, qos, NULL) : dds_create_reader(participant, topic, qos, NULL);
  dds_delete_qos(qos);
  if (endpoint < 0) fail("endpoint");
  if (is_writer) sertype = sertype_of(descriptor);
}

static void write_cdr(const void *bytes, size_t size)
{
  const ddsrt_iovec_t iov = {.iov_base = (void *)bytes, .iov_len = size};
  struct ddsi_serdata *data = ddsi_serdata_from_ser_iov(sertype, SDK_DATA, 1, &iov, size);
  if (data != NULL && dds_writecdr(endpoint, data) < 0) fail("write");
}

/* Calls for each batch of samples, until a signal, or until that says stop. */
static void take_all(int (*take)(struct ddsi_serdata **samples, int count))
{
  struct ddsi_serdata *samples[BATCH];
  dds_sample_info_t infos[BATCH];
  dds_set_status_mask(endpoint, DDS_DATA_AVAILABLE_STATUS);
  const dds_entity_t waitset = dds_create_waitset(participant);
  dds_waitset_attach(waitset, endpoint, 0);
  for (int go_on = 1; go_on && !stopped;) {
    dds_attach_t triggered;
    dds_waitset_wait(waitset, &triggered, 1, DDS_MSECS(100));
    for (int count; go_on && (count = dds_takecdr(endpoint, samples, BATCH, infos, DDS_ANY_STATE)) > 0;) {
      int valid = 0;
      for (int i = 0; i < count; i++) {
        if (infos[i].valid_data) samples[valid++] = samples[i];
        else ddsi_serdata_unref(samples[i]);
      }
      go_on = take(samples, valid);
      for (int i = 0; i < valid; i++) ddsi_serdata_unref(samples[i]);
    }
    if (take(NULL, 0) == 0) go_on = 0;
  }
}

static struct mosquitto *client;
static const char *mqtt_topic;
static int qos;

static void on_connect(struct mosquitto *mosq, void *data, int code)
{
  (void)data;
  if (code != 0) fail("refused");
  mosquitto_subscribe(mosq, NULL, mqtt_topic, qos);
}

static void on_subscribe(struct mosquitto *mosq, void *data, int id, int count, const int *granted)
{
  (void)mosq, (void)data, (void)id, (void)count, (void)granted;
  tell_ready();
}

static void on_message(struct mosquitto *mosq, void *data, const struct mosquitto_message *message)
{
  (void)mosq, (void)data;
  write_cdr(message->payload, (size_t)message->payloadlen);
}

static int publish(struct ddsi_serdata **samples, int count)
{
  for (int i = 0; i < count; i++) {
    ddsrt_iovec_t ref;
    const uint32_t size = ddsi_serdata_size(samples[i]);
    struct ddsi_serdata *held = ddsi_serdata_to_ser_ref(samples[i], 0, size, &ref);
    mosquitto_publish(client, NULL, mqtt_topic, (int)size, ref.iov_base, qos, false);
    ddsi_serdata_to_ser_unref(held, &ref);
  }
  return 1;
}

static void bridge(int outwards, int port)
{
  mosquitto_lib_init();
  client = mosquitto_new(NULL, true, NULL);
  mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, MOST_IN_FLIGHT);
  if (!outwards) {
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_subscribe_callback_set(client, on_subscribe);
    mosquitto_message_callback_set(client, on_message);
  }
  if (mosquitto_connect(client, "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS) fail("connect");
  if (!outwards) {
    while (!stopped && mosquitto_loop(client, 100, 1) == MOSQ_ERR_SUCCESS) {}
    return;
  }
  mosquitto_loop_start(client);
  tell_ready();
  take_all(publish);
}

static long stamp = -1;
static double times[MAX_TIMES];
static size_t timed;

static long long nanoseconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int tell_batch(struct ddsi_serdata **samples, int count)
{
  for (int i = 0; stamp >= 0 && i < count && timed < MAX_TIMES; i++) {
    char digits[STAMP_DIGITS + 1] = {0};
    ddsrt_iovec_t ref;
    struct ddsi_serdata *held = ddsi_serdata_to_ser_ref(samples[i], 0, ddsi_serdata_size(samples[i]), &ref);
    memcpy(digits, (char *)ref.iov_base + stamp, STAMP_DIGITS);
    ddsi_serdata_to_ser_unref(held, &ref);
    const long long sent = atoll(digits);
    if (sent > 0) times[timed++] = (double)(nanoseconds() - sent) / 1e3;
  }
  const uint32_t told = (uint32_t)count;
  if (count > 0 && write(1, &told, sizeof told) != sizeof told) return 0;
  struct pollfd input = {.fd = 0, .events = POLLIN};
  char ignored;
  return !(poll(&input, 1, 0) > 0 && read(0, &ignored, 1) <= 0);
}

static int ascending(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void await_match(int is_writer)
{
  for (int matched = 0; !matched && !stopped; dds_sleepfor(DDS_MSECS(1))) {
    dds_publication_matched_status_t publication;
    dds_subscription_matched_status_t subscription;
    if (is_writer) dds_get_publication_matched_status(endpoint, &publication), matched = publication.current_count > 0;
    else dds_get_subscription_matched_status(endpoint, &subscription), matched = subscription.current_count > 0;
  }
  tell_ready();
}

static void write_stamped(char *cdr, size_t size)
{
  if (stamp >= 0) {
    char digits[STAMP_DIGITS + 8];
    snprintf(digits, sizeof digits, "%016lld", nanoseconds());
    memcpy(cdr + stamp, digits, STAMP_DIGITS);
  }
  write_cdr(cdr, size);
}

static void talk(const char *path, double rate, long count)
{
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail("no such file");
  fseek(file, 0, SEEK_END);
  const size_t size = (size_t)ftell(file);
  rewind(file);
  char *cdr = malloc(size);
  if (fread(cdr, 1, size, file) != size) fail("file");
  fclose(file);
  await_match(1);
  uint32_t wanted;
  if (rate > 0 && read(0, &wanted, sizeof wanted) != sizeof wanted) return;
  const dds_time_t start = dds_time();
  for (long i = 0; rate > 0 && i < count && !stopped; i++) {
    const dds_time_t due = start + (dds_time_t)((double)i * 1e9 / rate);
    if (due > dds_time()) dds_sleepfor(due - dds_time());
    write_stamped(cdr, size);
  }
  while (!stopped && read(0, &wanted, sizeof wanted) == sizeof wanted)
    for (; wanted > 0 && !stopped; wanted--) write_stamped(cdr, size);
  free(cdr);
}

int main(int argc, char **argv)
{
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  const char *role = argc > 1 ? argv[1] : "";
  const int talks = !strcmp(role, "talk"), hears = !strcmp(role, "hear"), inwards = !strcmp(role, "in");
  if (!talks && !hears && !inwards && strcmp(role, "out")) return 2;
  participant = dds_create_participant((dds_domainid_t)atoi(option(argc, argv, "--domain", "0")), NULL, NULL);
  if (participant < 0) return 1;
  open_endpoint(option(argc, argv, "--type", "string"), option(argc, argv, "--topic", "rt/bridge"), talks || inwards);
  stamp = atol(option(argc, argv, "--stamp", "-1"));
  mqtt_topic = option(argc, argv, "--mqtt-topic", "bridge");
  qos = atoi(option(argc, argv, "--qos", "0"));
  if (talks) talk(option(argc, argv, "--cdr", ""), atof(option(argc, argv, "--rate", "0")), atol(option(argc, argv, "--count", "0")));
  else if (hears) {
    await_match(0);
    take_all(tell_batch);
    qsort(times, timed, sizeof *times, ascending);
    if (timed > 0) fprintf(stderr, "{\"p50\":%.1f,\"p99\":%.1f}\n", times[timed / 2], times[timed * 99 / 100]);
  } else bridge(!inwards, atoi(option(argc, argv, "--port", "1883")));
  dds_delete(participant);
  return 0;
}
