/*
 * A ROS 2 node with parameters on Eclipse Cyclone DDS, or who sets one of them, as rmw_cyclonedds_cpp and rclcpp do.
 *
 *   parameters serve|call [--node /robot1/camera] [--domain D] [--name N] [--value V] [--timeout S]
 *
 * serve: has depth (integer 4), rate (double 30), frame_id (string "camera") and enabled (bool true), serves the six
 *        services of a node's parameters until a signal, and tells each change on /parameter_events and as a line of
 *        JSON on stdout.
 * call: sets the integer --name to --value, and prints what came of it; ends with 3 when nothing does for --timeout.
 * Both say {"ready":true} on stderr.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dds/dds.h"
#include "parameters.h"

#define MSG(name) rcl_interfaces_msg_dds__##name##_
#define REQUEST(name) rcl_interfaces_srv_dds__##name##_Request_
#define RESPONSE(name) rcl_interfaces_srv_dds__##name##_Response_
#define SEQUENCE(name) dds_sequence_rcl_interfaces_msg_dds__##name##_

enum { BOOL = 1, INTEGER, DOUBLE, STRING };
static MSG(Parameter) parameters[] = {
  {.name_ = "depth", .value_ = {.type_ = INTEGER, .integer_value_ = 4, .string_value_ = ""}},
  {.name_ = "rate", .value_ = {.type_ = DOUBLE, .double_value_ = 30, .string_value_ = ""}},
  {.name_ = "frame_id", .value_ = {.type_ = STRING, .string_value_ = "camera"}},
  {.name_ = "enabled", .value_ = {.type_ = BOOL, .bool_value_ = true, .string_value_ = ""}},
};
enum { COUNT = sizeof parameters / sizeof *parameters, MAX_ASKED = 100 };

static const char *node;
static dds_entity_t participant;
static dds_entity_t events;
static volatile sig_atomic_t stopped;
static void on_signal(int number) { (void)number; stopped = 1; }

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
  for (int i = 2; i + 1 < argc; i += 2)
    if (!strcmp(argv[i], name)) return argv[i + 1];
  return otherwise;
}

static MSG(Parameter) *find(const char *name)
{
  for (int i = 0; i < COUNT; i++)
    if (!strcmp(parameters[i].name_, name)) return &parameters[i];
  return NULL;
}

static const char *fault(const MSG(Parameter) *wanted)
{
  const MSG(Parameter) *known = find(wanted->name_);
  if (known == NULL) return "it has not been declared";
  return known->value_.type_ == wanted->value_.type_ ? "" : "wrong parameter type";
}

/* What is set refers to the request, which stays for that. */
static void take_over(SEQUENCE(Parameter) changed)
{
  for (uint32_t i = 0; i < changed._length; i++) {
    find(changed._buffer[i].name_)->value_ = changed._buffer[i].value_;
    printf("{\"changed\":\"%s\"}\n", changed._buffer[i].name_);
  }
  const MSG(ParameterEvent) event = {.node_ = (char *)node, .changed_parameters_ = changed};
  dds_write(events, &event);
}

/* Each serves one request: true when it has, and the response is to be sent. */
static bool list(const void *taken, void *made)
{
  (void)taken;
  static char *names[COUNT];
  for (int i = 0; i < COUNT; i++) names[i] = parameters[i].name_;
  ((RESPONSE(ListParameters) *)made)->result_.names_ = (dds_sequence_string){COUNT, COUNT, names, false};
  return true;
}

/* rclcpp tells nothing at all where one of the names is not declared. */
static uint32_t asked(const dds_sequence_string *names)
{
  for (uint32_t i = 0; i < names->_length; i++)
    if (i == MAX_ASKED || find(names->_buffer[i]) == NULL) return 0;
  return names->_length;
}

static bool get(const void *taken, void *made)
{
  const REQUEST(GetParameters) *request = taken;
  static MSG(ParameterValue) values[MAX_ASKED];
  const uint32_t count = asked(&request->names_);
  for (uint32_t i = 0; i < count; i++) values[i] = find(request->names_._buffer[i])->value_;
  ((RESPONSE(GetParameters) *)made)->values_ = (SEQUENCE(ParameterValue)){count, count, values, false};
  return true;
}

static bool get_types(const void *taken, void *made)
{
  const REQUEST(GetParameterTypes) *request = taken;
  static uint8_t types[MAX_ASKED];
  const uint32_t count = asked(&request->names_);
  for (uint32_t i = 0; i < count; i++) types[i] = find(request->names_._buffer[i])->value_.type_;
  ((RESPONSE(GetParameterTypes) *)made)->types_ = (dds_sequence_octet){count, count, types, false};
  return true;
}

static bool describe(const void *taken, void *made)
{
  const REQUEST(DescribeParameters) *request = taken;
  static MSG(ParameterDescriptor) descriptors[MAX_ASKED];
  const uint32_t count = asked(&request->names_);
  for (uint32_t i = 0; i < count; i++) {
    const MSG(Parameter) *known = find(request->names_._buffer[i]);
    descriptors[i] = (MSG(ParameterDescriptor)){
      .name_ = known->name_, .type_ = known->value_.type_, .description_ = "", .additional_constraints_ = ""};
  }
  ((RESPONSE(DescribeParameters) *)made)->descriptors_ =
    (SEQUENCE(ParameterDescriptor)){count, count, descriptors, false};
  return true;
}

static bool set(const void *taken, void *made)
{
  const REQUEST(SetParameters) *request = taken;
  static MSG(SetParametersResult) results[MAX_ASKED];
  const uint32_t count = request->parameters_._length;
  if (count > MAX_ASKED) return false;
  for (uint32_t i = 0; i < count; i++) {
    const char *reason = fault(&request->parameters_._buffer[i]);
    results[i] = (MSG(SetParametersResult)){*reason == 0, (char *)reason};
    if (*reason == 0)
      take_over((SEQUENCE(Parameter)){1, 1, &request->parameters_._buffer[i], false});
  }
  ((RESPONSE(SetParameters) *)made)->results_ = (SEQUENCE(SetParametersResult)){count, count, results, false};
  return true;
}

static bool set_atomically(const void *taken, void *made)
{
  const REQUEST(SetParametersAtomically) *request = taken;
  const char *reason = "";
  for (uint32_t i = 0; i < request->parameters_._length && *reason == 0; i++)
    reason = fault(&request->parameters_._buffer[i]);
  if (*reason == 0) take_over(request->parameters_);
  ((RESPONSE(SetParametersAtomically) *)made)->result_ = (MSG(SetParametersResult)){*reason == 0, (char *)reason};
  return true;
}

struct service {
  const char *name;
  const dds_topic_descriptor_t *request, *response;
  bool (*serve)(const void *request, void *response);
  dds_entity_t reader, writer;
};
#define SERVICE(name, Type, serve) \
  {name, &rcl_interfaces_srv_dds__##Type##_Request__desc, &rcl_interfaces_srv_dds__##Type##_Response__desc, serve, 0, 0}
static struct service services[] = {
  SERVICE("set_parameters", SetParameters, set),
  SERVICE("set_parameters_atomically", SetParametersAtomically, set_atomically),
  SERVICE("list_parameters", ListParameters, list),
  SERVICE("get_parameters", GetParameters, get),
  SERVICE("get_parameter_types", GetParameterTypes, get_types),
  SERVICE("describe_parameters", DescribeParameters, describe),
};
enum { SERVICES = sizeof services / sizeof *services, MAX_RESPONSE = 256 };

/* In front of every request and response. */
struct header { uint64_t client; int64_t sequence; };

static bool take(dds_entity_t reader, void *message)
{
  void *samples[1] = {message};
  dds_sample_info_t info[1];
  return dds_take(reader, samples, info, 1, 1) == 1 && info[0].valid_data;
}

static void open_service(struct service *service, bool server)
{
  char request_topic[256], reply_topic[256], user_data[64];
  snprintf(request_topic, sizeof request_topic, "rq%s/%sRequest", node, service->name);
  snprintf(reply_topic, sizeof reply_topic, "rr%s/%sReply", node, service->name);
  snprintf(user_data, sizeof user_data, "%s=%ld;", server ? "serviceid" : "clientid", (long)dds_time());
  const dds_entity_t requests = dds_create_topic(participant, service->request, request_topic, NULL, NULL);
  const dds_entity_t replies = dds_create_topic(participant, service->response, reply_topic, NULL, NULL);
  dds_qos_t *qos = dds_create_qos();
  dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_SECS(10));
  dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, 1000);
  dds_qset_userdata(qos, user_data, strlen(user_data));
  service->writer = dds_create_writer(participant, server ? replies : requests, qos, NULL);
  service->reader = dds_create_reader(participant, server ? requests : replies, qos, NULL);
  dds_delete_qos(qos);
}

static int serve(void)
{
  const dds_entity_t topic =
    dds_create_topic(participant, &rcl_interfaces_msg_dds__ParameterEvent__desc, "rt/parameter_events", NULL, NULL);
  dds_qos_t *qos = dds_create_qos();
  dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_SECS(10));
  dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, 1000);
  events = dds_create_writer(participant, topic, qos, NULL);
  dds_delete_qos(qos);
  for (int i = 0; i < SERVICES; i++) open_service(&services[i], true);
  fprintf(stderr, "{\"ready\":true}\n");
  for (; !stopped; dds_sleepfor(DDS_MSECS(1))) {
    for (int i = 0; i < SERVICES; i++) {
      struct header *request = calloc(1, services[i].request->m_size);
      union { struct header header; char bytes[MAX_RESPONSE]; } response = {0};
      if (!take(services[i].reader, request)) {
        free(request);
        continue;
      }
      response.header = *request;
      if (services[i].serve(request, &response)) dds_write(services[i].writer, &response);
    }
  }
  return 0;
}

static int call(const char *name, long long value, double timeout)
{
  struct service *service = &services[0];
  open_service(service, false);
  fprintf(stderr, "{\"ready\":true}\n");
  MSG(Parameter) wanted = {
    .name_ = (char *)name, .value_ = {.type_ = INTEGER, .integer_value_ = value, .string_value_ = ""}};
  dds_instance_handle_t client;
  dds_get_instance_handle(service->writer, &client);
  const REQUEST(SetParameters) request = {client, 1, {1, 1, &wanted, false}};
  RESPONSE(SetParameters) response = {0};
  bool sent = false;
  for (const dds_time_t start = dds_time(); !stopped; dds_sleepfor(DDS_MSECS(1))) {
    dds_publication_matched_status_t requests;
    dds_subscription_matched_status_t replies;
    dds_get_publication_matched_status(service->writer, &requests);
    dds_get_subscription_matched_status(service->reader, &replies);
    if (!sent && requests.current_count > 0 && replies.current_count > 0)
      sent = dds_write(service->writer, &request) == 0;
    if (take(service->reader, &response) && response.client_ == client) {
      const MSG(SetParametersResult) *result = response.results_._buffer;
      printf("{\"successful\":%s,\"reason\":\"%s\"}\n", result->successful_ ? "true" : "false", result->reason_);
      return 0;
    }
    if ((double)(dds_time() - start) > timeout * 1e9) break;
  }
  return 3;
}

int main(int argc, char **argv)
{
  const bool server = argc > 1 && !strcmp(argv[1], "serve");
  if (!server && (argc < 2 || strcmp(argv[1], "call"))) return 2;
  node = option(argc, argv, "--node", "/robot1/camera");
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  participant = dds_create_participant((dds_domainid_t)atoi(option(argc, argv, "--domain", "0")), NULL, NULL);
  if (participant < 0) return 1;
  const int code = server ? serve()
                          : call(option(argc, argv, "--name", "depth"), atoll(option(argc, argv, "--value", "0")),
                                 atof(option(argc, argv, "--timeout", "10")));
  dds_delete(participant);
  return code;
}
