/*
 * Measures what Eclipse Cyclone DDS does, reliable and keeping all, for the bench to compare with.
 *
 *   gauge pub|sub|ping|echo --domain D --topic NAME [--type string|image] [--size BYTES] [--count N]
 *
 * pub:  waits for a reader, writes --count messages as fast as it may, and tells {"seconds":S} until all are
 *       acknowledged. A text has --size characters and begins with its number; an image has --size octets of data.
 * sub:  tells {"ready":true}, and after --count messages {"seconds":S,"disordered":N}: from the first to the last.
 * ping: writes texts one by one to NAME/ping, each after the one before has come back on NAME/echo, and tells
 *       {"p50":US,"p99":US} of the times between.
 * echo: writes what comes on NAME/ping to NAME/echo, until a signal.
 * All on stderr. Each gives up with exit code 3 when nothing happens for ten seconds.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dds/dds.h"
#include "ros_types.h"

#define BATCH 256
#define PATIENCE DDS_SECS(10)

static volatile sig_atomic_t stopped;
static void on_signal(int number) { (void)number; stopped = 1; }

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
  for (int i = 2; i + 1 < argc; i += 2)
    if (!strcmp(argv[i], name)) return argv[i + 1];
  return otherwise;
}

static double seconds(dds_time_t from, dds_time_t to) { return (double)(to - from) / 1e9; }

static dds_entity_t participant;
static int is_image;
static long count;
static size_t size;

static dds_entity_t endpoint(int is_writer, const char *topic_name, const char *suffix)
{
  char name[256];
  snprintf(name, sizeof name, "%s%s", topic_name, suffix);
  const dds_topic_descriptor_t *descriptor =
    is_image ? &sensor_msgs_msg_dds__Image__desc : &std_msgs_msg_dds__String__desc;
  const dds_entity_t topic = dds_create_topic(participant, descriptor, name, NULL, NULL);
  dds_qos_t *qos = dds_create_qos();
  dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, PATIENCE);
  dds_qset_history(qos, DDS_HISTORY_KEEP_ALL, 0);
  const dds_entity_t made = is_writer ? dds_create_writer(participant, topic, qos, NULL)
                                      : dds_create_reader(participant, topic, qos, NULL);
  dds_delete_qos(qos);
  if (made < 0) exit(1);
  return made;
}

static void await_reader(dds_entity_t writer)
{
  dds_publication_matched_status_t status;
  for (const dds_time_t start = dds_time();; dds_sleepfor(DDS_MSECS(1))) {
    dds_get_publication_matched_status(writer, &status);
    if (status.current_count > 0) return;
    if (stopped || dds_time() - start > PATIENCE) exit(3);
  }
}

static dds_entity_t waitset_of(dds_entity_t reader)
{
  dds_set_status_mask(reader, DDS_DATA_AVAILABLE_STATUS);
  const dds_entity_t waitset = dds_create_waitset(participant);
  dds_waitset_attach(waitset, reader, 0);
  return waitset;
}

static int publish(const char *topic)
{
  const dds_entity_t writer = endpoint(1, topic, "");
  char *text = malloc(size + 32);
  memset(text, '.', size);
  std_msgs_msg_dds__String_ string = {.data_ = text};
  sensor_msgs_msg_dds__Image_ image = {.encoding_ = "mono8"};
  image.header_.frame_id_ = "camera";
  image.data_._buffer = (uint8_t *)text;
  image.data_._length = image.data_._maximum = (uint32_t)size;
  await_reader(writer);
  const dds_time_t start = dds_time();
  for (long i = 1; i <= count && !stopped; i++) {
    image.header_.stamp_.sec_ = (int32_t)i;
    if (!is_image) {
      const int digits = sprintf(text, "%ld", i);
      if ((size_t)digits < size) text[digits] = '.', text[size] = 0;
    }
    if (dds_write(writer, is_image ? (void *)&image : (void *)&string) < 0) return 1;
  }
  dds_wait_for_acks(writer, PATIENCE);
  fprintf(stderr, "{\"seconds\":%.6f}\n", seconds(start, dds_time()));
  return 0;
}

static int subscribe(const char *topic)
{
  const dds_entity_t reader = endpoint(0, topic, "");
  const dds_entity_t waitset = waitset_of(reader);
  void *messages[BATCH] = {NULL};
  dds_sample_info_t infos[BATCH];
  dds_time_t first = 0, latest = dds_time();
  long received = 0, disordered = 0;
  fputs("{\"ready\":true}\n", stderr);
  while (!stopped && received < count) {
    dds_attach_t triggered;
    dds_waitset_wait(waitset, &triggered, 1, DDS_MSECS(100));
    for (int taken; received < count && (taken = dds_take(reader, messages, infos, BATCH, BATCH)) > 0;) {
      latest = dds_time();
      if (first == 0) first = latest;
      for (int i = 0; i < taken; i++) {
        if (!infos[i].valid_data) continue;
        const long number = is_image ? ((sensor_msgs_msg_dds__Image_ *)messages[i])->header_.stamp_.sec_
                                     : atol(((std_msgs_msg_dds__String_ *)messages[i])->data_);
        if (number != ++received) disordered++;
      }
      dds_return_loan(reader, messages, taken);
    }
    if (dds_time() - latest > PATIENCE) return 3;
  }
  fprintf(stderr, "{\"seconds\":%.6f,\"disordered\":%ld}\n", seconds(first, latest), disordered);
  // So that its acknowledgement is not lost with it.
  dds_sleepfor(DDS_MSECS(100));
  return 0;
}

static int ascending(const void *a, const void *b)
{
  const dds_time_t x = *(const dds_time_t *)a, y = *(const dds_time_t *)b;
  return x < y ? -1 : x > y;
}

static int ping(const char *topic)
{
  const dds_entity_t writer = endpoint(1, topic, "/ping"), reader = endpoint(0, topic, "/echo");
  const dds_entity_t waitset = waitset_of(reader);
  dds_time_t *times = calloc((size_t)count, sizeof *times);
  char text[32];
  std_msgs_msg_dds__String_ string = {.data_ = text};
  void *message[1] = {NULL};
  dds_sample_info_t info[1];
  await_reader(writer);
  dds_sleepfor(DDS_MSECS(200));
  for (long i = 0; i < count && !stopped; i++) {
    sprintf(text, "%ld", i);
    const dds_time_t start = dds_time();
    if (dds_write(writer, &string) < 0) return 1;
    for (int back = 0; !back && !stopped;) {
      dds_attach_t triggered;
      dds_waitset_wait(waitset, &triggered, 1, DDS_MSECS(100));
      while (dds_take(reader, message, info, 1, 1) > 0) {
        if (info[0].valid_data) back |= !strcmp(((std_msgs_msg_dds__String_ *)message[0])->data_, text);
        dds_return_loan(reader, message, 1);
      }
      if (dds_time() - start > PATIENCE) return 3;
    }
    times[i] = dds_time() - start;
  }
  qsort(times, (size_t)count, sizeof *times, ascending);
  fprintf(stderr, "{\"p50\":%.1f,\"p99\":%.1f}\n", (double)times[count / 2] / 1e3, (double)times[count * 99 / 100] / 1e3);
  return 0;
}

static int echo(const char *topic)
{
  const dds_entity_t writer = endpoint(1, topic, "/echo"), reader = endpoint(0, topic, "/ping");
  const dds_entity_t waitset = waitset_of(reader);
  void *message[1] = {NULL};
  dds_sample_info_t info[1];
  fputs("{\"ready\":true}\n", stderr);
  while (!stopped) {
    dds_attach_t triggered;
    dds_waitset_wait(waitset, &triggered, 1, DDS_MSECS(100));
    while (dds_take(reader, message, info, 1, 1) > 0) {
      if (info[0].valid_data && dds_write(writer, message[0]) < 0) return 1;
      dds_return_loan(reader, message, 1);
    }
  }
  return 0;
}

int main(int argc, char **argv)
{
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  is_image = !strcmp(option(argc, argv, "--type", "string"), "image");
  count = atol(option(argc, argv, "--count", "1000"));
  size = (size_t)atol(option(argc, argv, "--size", "64"));
  participant = dds_create_participant((dds_domainid_t)atoi(option(argc, argv, "--domain", "0")), NULL, NULL);
  if (participant < 0) return 1;
  const char *topic = option(argc, argv, "--topic", "rt/gauge");
  const char *role = argc > 1 ? argv[1] : "";
  int code = 2;
  if (!strcmp(role, "pub")) code = publish(topic);
  else if (!strcmp(role, "sub")) code = subscribe(topic);
  else if (!strcmp(role, "ping")) code = ping(topic);
  else if (!strcmp(role, "echo")) code = echo(topic);
  dds_delete(participant);
  return code;
}
