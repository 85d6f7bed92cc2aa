/*
 * A server or client of example_interfaces/srv/AddTwoInts on Eclipse Cyclone DDS, as rmw_cyclonedds_cpp is one.
 *
 *   service serve|call [--service /add_two_ints] [--domain D] [--count N] [--timeout S] [--a A] [--b B]
 *
 * serve: answers --count requests (0: until a signal), each a line of JSON on stdout.
 * call: sends --count requests one after the other, of --a with the number of the request added and --b, each when the
 *       reply to the one before has come, which is a line of JSON on stdout.
 * Both end with 3 when nothing comes for --timeout seconds, and say {"ready":true} on stderr.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dds/dds.h"
#include "service.h"

typedef example_interfaces_srv_dds__AddTwoInts_Request_ request_t;
typedef example_interfaces_srv_dds__AddTwoInts_Response_ response_t;

static volatile sig_atomic_t stopped;
static void on_signal(int number) { (void)number; stopped = 1; }

static double now(void) { return (double)dds_time() / 1e9; }

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
  for (int i = 2; i + 1 < argc; i += 2)
    if (!strcmp(argv[i], name)) return argv[i + 1];
  return otherwise;
}

static int take(dds_entity_t reader, void *message, double timeout)
{
  void *samples[1] = {message};
  dds_sample_info_t info[1];
  for (const double start = now(); !stopped && now() - start < timeout; dds_sleepfor(DDS_MSECS(1)))
    if (dds_take(reader, samples, info, 1, 1) == 1 && info[0].valid_data) return 1;
  return 0;
}

/* The reader of a client may be discovered after its writer: its reply waits for that, as in rmw_cyclonedds. */
static int reply(dds_entity_t writer, const void *response)
{
  dds_publication_matched_status_t clients;
  for (const double start = now(); !stopped && now() - start < 1; dds_sleepfor(DDS_MSECS(1)))
    if (dds_get_publication_matched_status(writer, &clients) == 0 && clients.current_count > 0) break;
  return dds_write(writer, response);
}

static int serve(dds_entity_t writer, dds_entity_t reader, long count, double timeout)
{
  for (long served = 0; count == 0 || served < count; served++) {
    request_t request;
    if (!take(reader, &request, timeout)) return stopped ? 0 : 3;
    printf("{\"a\":%lld,\"b\":%lld}\n", (long long)request.a_, (long long)request.b_);
    const response_t response = {request.client_, request.sequence_, request.a_ + request.b_};
    if (reply(writer, &response) < 0) return 1;
  }
  dds_wait_for_acks(writer, DDS_SECS(5));
  return 0;
}

static int call(dds_entity_t writer, dds_entity_t reader, long count, double timeout, long long a, long long b)
{
  dds_publication_matched_status_t requests;
  dds_subscription_matched_status_t replies;
  for (const double start = now();; dds_sleepfor(DDS_MSECS(1))) {
    dds_get_publication_matched_status(writer, &requests);
    dds_get_subscription_matched_status(reader, &replies);
    if (requests.current_count > 0 && replies.current_count > 0) break;
    if (stopped || now() - start > timeout) return 3;
  }
  dds_instance_handle_t client;
  dds_get_instance_handle(writer, &client);
  for (long called = 1; called <= count; called++) {
    const request_t request = {client, called, a + called, b};
    if (dds_write(writer, &request) < 0) return 1;
    response_t response;
    do {
      if (!take(reader, &response, timeout)) return 3;
    } while (response.client_ != client || response.sequence_ != called);
    printf("{\"sum\":%lld}\n", (long long)response.sum_);
  }
  return 0;
}

int main(int argc, char **argv)
{
  const int server = argc > 1 && !strcmp(argv[1], "serve");
  if (!server && (argc < 2 || strcmp(argv[1], "call"))) return 2;
  const char *name = option(argc, argv, "--service", "/add_two_ints");
  const long count = atol(option(argc, argv, "--count", "1"));
  const double timeout = atof(option(argc, argv, "--timeout", "10"));
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  const dds_entity_t participant =
    dds_create_participant((dds_domainid_t)atoi(option(argc, argv, "--domain", "0")), NULL, NULL);
  char request_topic[256], reply_topic[256], user_data[64];
  snprintf(request_topic, sizeof request_topic, "rq%sRequest", name);
  snprintf(reply_topic, sizeof reply_topic, "rr%sReply", name);
  snprintf(user_data, sizeof user_data, "%s=%ld;", server ? "serviceid" : "clientid", (long)dds_time());
  const dds_entity_t requests = dds_create_topic(
    participant, &example_interfaces_srv_dds__AddTwoInts_Request__desc, request_topic, NULL, NULL);
  const dds_entity_t replies = dds_create_topic(
    participant, &example_interfaces_srv_dds__AddTwoInts_Response__desc, reply_topic, NULL, NULL);
  dds_qos_t *qos = dds_create_qos();
  dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_SECS(10));
  dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, 10);
  dds_qset_userdata(qos, user_data, strlen(user_data));
  const dds_entity_t writer = dds_create_writer(participant, server ? replies : requests, qos, NULL);
  const dds_entity_t reader = dds_create_reader(participant, server ? requests : replies, qos, NULL);
  dds_delete_qos(qos);
  if (writer < 0 || reader < 0) return 1;
  fprintf(stderr, "{\"ready\":true}\n");
  const int code = server ? serve(writer, reader, count, timeout)
                          : call(writer, reader, count, timeout, atoll(option(argc, argv, "--a", "0")),
                                 atoll(option(argc, argv, "--b", "0")));
  dds_delete(participant);
  return code;
}
