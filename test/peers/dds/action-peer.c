/*
 * A server or client of the action example_interfaces/action/Fibonacci on Eclipse Cyclone DDS, as rmw_cyclonedds_cpp
 * and rcl_action have one.
 *
 *   action serve|call [--action /fibonacci] [--domain D] [--timeout S] [--period MS] [--refuse-cancel 1]
 *                     [--order N] [--cancel N] [--late 1]
 *
 * serve: takes goals of an order from 0 to 40, works on them step by step, one each --period, with feedback at each, and
 *        ends them with success, but aborts those of an odd order. Ends with a signal. Prints {"goal":ID,"order":N} and
 *        {"ended":ID,"status":S}.
 * call: sends one goal of --order, with --late once it has heard of earlier ones, and asks to cancel it after --cancel messages of feedback (0: never). Prints what it
 *       hears: {"status":[S,…]}, {"accepted":true}, {"feedback":[…]}, {"cancel":CODE,"goals":N} and, with which it ends,
 *       {"result":S,"sequence":[…]}; or just {"accepted":false}.
 * Both say {"ready":true} on stderr; a client ends with 3 when it does not come to its end in --timeout seconds.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dds/dds.h"
#include "action.h"

typedef unique_identifier_msgs_msg_dds__UUID_ uuid_t;
typedef example_interfaces_action_dds__Fibonacci_SendGoal_Request_ send_request_t;
typedef example_interfaces_action_dds__Fibonacci_SendGoal_Response_ send_response_t;
typedef action_msgs_srv_dds__CancelGoal_Request_ cancel_request_t;
typedef action_msgs_srv_dds__CancelGoal_Response_ cancel_response_t;
typedef example_interfaces_action_dds__Fibonacci_GetResult_Request_ result_request_t;
typedef example_interfaces_action_dds__Fibonacci_GetResult_Response_ result_response_t;
typedef example_interfaces_action_dds__Fibonacci_FeedbackMessage_ feedback_t;
typedef action_msgs_msg_dds__GoalStatusArray_ status_t;

enum { UNKNOWN, ACCEPTED, EXECUTING, CANCELING, SUCCEEDED, CANCELED, ABORTED };
enum { MAX_ORDER = 40, MAX_GOALS = 64 };

struct goal {
  action_msgs_msg_dds__GoalInfo_ info;
  int status, order, length;
  int32_t numbers[MAX_ORDER + 2];
  double next;
  int awaited;
  result_request_t awaiting;
};

/* Ends of the action's services and topics: for a client the writers of requests, for a server those of replies. */
struct action {
  dds_entity_t participant;
  struct { dds_entity_t writer, reader; } send, cancel, result;
  dds_entity_t feedback, status;
};

static volatile sig_atomic_t stopped;
static void on_signal(int number) { (void)number; stopped = 1; }

static double now(void) { return (double)dds_time() / 1e9; }

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
  for (int i = 2; i + 1 < argc; i += 2)
    if (!strcmp(argv[i], name)) return argv[i + 1];
  return otherwise;
}

static int same(const uuid_t *a, const uuid_t *b) { return !memcmp(a, b, sizeof *a); }

static int take(dds_entity_t reader, void *message)
{
  void *samples[1] = {message};
  dds_sample_info_t info[1];
  return dds_take(reader, samples, info, 1, 1) == 1 && info[0].valid_data;
}

static dds_qos_t *make_qos(dds_durability_kind_t durability, int depth)
{
  dds_qos_t *qos = dds_create_qos();
  dds_qset_reliability(qos, DDS_RELIABILITY_RELIABLE, DDS_SECS(10));
  dds_qset_durability(qos, durability);
  dds_qset_history(qos, DDS_HISTORY_KEEP_LAST, depth);
  return qos;
}

static void make_service(struct action *action, const char *name, const char *service, int server,
                         const dds_topic_descriptor_t *request, const dds_topic_descriptor_t *reply,
                         dds_entity_t *writer, dds_entity_t *reader)
{
  char request_topic[256], reply_topic[256], user_data[64];
  snprintf(request_topic, sizeof request_topic, "rq%s/_action/%sRequest", name, service);
  snprintf(reply_topic, sizeof reply_topic, "rr%s/_action/%sReply", name, service);
  snprintf(user_data, sizeof user_data, "%s=%ld;", server ? "serviceid" : "clientid", (long)dds_time());
  const dds_entity_t requests = dds_create_topic(action->participant, request, request_topic, NULL, NULL);
  const dds_entity_t replies = dds_create_topic(action->participant, reply, reply_topic, NULL, NULL);
  dds_qos_t *qos = make_qos(DDS_DURABILITY_VOLATILE, 10);
  dds_qset_userdata(qos, user_data, strlen(user_data));
  *writer = dds_create_writer(action->participant, server ? replies : requests, qos, NULL);
  *reader = dds_create_reader(action->participant, server ? requests : replies, qos, NULL);
  dds_delete_qos(qos);
}

static dds_entity_t make_topic(struct action *action, const char *name, const char *topic, int server,
                               const dds_topic_descriptor_t *type, dds_qos_t *qos)
{
  char dds_name[256];
  snprintf(dds_name, sizeof dds_name, "rt%s/_action/%s", name, topic);
  const dds_entity_t made = dds_create_topic(action->participant, type, dds_name, NULL, NULL);
  const dds_entity_t end = server ? dds_create_writer(action->participant, made, qos, NULL)
                                  : dds_create_reader(action->participant, made, qos, NULL);
  dds_delete_qos(qos);
  return end;
}

static void print_id(const char *key, const uuid_t *id)
{
  printf("{\"%s\":\"", key);
  for (int i = 0; i < 16; i++)
    printf(i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id->octets_[i]);
  putchar('"');
}

static void print_numbers(const char *key, const dds_sequence_long *numbers)
{
  printf("\"%s\":[", key);
  for (uint32_t i = 0; i < numbers->_length; i++) printf(i == 0 ? "%d" : ",%d", numbers->_buffer[i]);
  printf("]}\n");
}

static void publish_status(const struct action *action, const struct goal *goals, int count)
{
  action_msgs_msg_dds__GoalStatus_ list[MAX_GOALS];
  for (int i = 0; i < count; i++) {
    list[i].goal_info_ = goals[i].info;
    list[i].status_ = (uint8_t)goals[i].status;
  }
  const status_t status = {{(uint32_t)count, (uint32_t)count, list, false}};
  dds_write(action->status, &status);
}

/* The reader of a client may be discovered after its writer: its reply waits for that, as in rmw_cyclonedds. */
static int reply(dds_entity_t writer, const void *response)
{
  dds_publication_matched_status_t clients;
  for (const double start = now(); !stopped && now() - start < 1; dds_sleepfor(DDS_MSECS(1)))
    if (dds_get_publication_matched_status(writer, &clients) == 0 && clients.current_count > 0) break;
  return dds_write(writer, response);
}

static void reply_result(const struct action *action, const result_request_t *request, struct goal *goal)
{
  result_response_t response = {request->client_, request->sequence_, UNKNOWN, {{0, 0, NULL, false}}};
  if (goal != NULL) {
    const dds_sequence_long numbers = {(uint32_t)goal->length, (uint32_t)goal->length, goal->numbers, false};
    response.status_ = (uint8_t)goal->status;
    response.result_.sequence_ = numbers;
  }
  reply(action->result.writer, &response);
}

/* One step of a goal: the next number with feedback, or its end. Returns whether its status changed. */
static int step(const struct action *action, struct goal *goal)
{
  const int before = goal->status;
  if (goal->status == ACCEPTED) goal->status = EXECUTING;
  if (before == CANCELING) goal->status = CANCELED;
  else if (goal->length > goal->order) goal->status = goal->order % 2 ? ABORTED : SUCCEEDED;
  else {
    const int n = goal->length++;
    goal->numbers[n] = n < 2 ? n : goal->numbers[n - 1] + goal->numbers[n - 2];
    const feedback_t feedback = {
      goal->info.goal_id_, {{(uint32_t)goal->length, (uint32_t)goal->length, goal->numbers, false}}};
    dds_write(action->feedback, &feedback);
  }
  if (goal->status >= SUCCEEDED) {
    print_id("ended", &goal->info.goal_id_);
    printf(",\"status\":%d}\n", goal->status);
    if (goal->awaited) reply_result(action, &goal->awaiting, goal);
  }
  return goal->status != before;
}

static void take_goal(const struct action *action, const send_request_t *request, struct goal *goals, int *count,
                      double period)
{
  send_response_t response = {request->client_, request->sequence_, false, {0, 0}};
  const int order = request->goal_.order_;
  if (order >= 0 && order <= MAX_ORDER && *count < MAX_GOALS) {
    struct goal *goal = &goals[(*count)++];
    memset(goal, 0, sizeof *goal);
    const dds_time_t stamp = dds_time();
    goal->info.goal_id_ = request->goal_id_;
    goal->info.stamp_.sec_ = (int32_t)(stamp / 1000000000);
    goal->info.stamp_.nanosec_ = (uint32_t)(stamp % 1000000000);
    goal->status = ACCEPTED;
    goal->order = order;
    goal->next = now() + period;
    response.accepted_ = true;
    response.stamp_ = goal->info.stamp_;
    print_id("goal", &request->goal_id_);
    printf(",\"order\":%d}\n", order);
  }
  reply(action->send.writer, &response);
}

/* Goals by their id, all where that is zero. */
static int cancel(const struct action *action, const cancel_request_t *request, struct goal *goals, int count,
                  int refuses)
{
  static const uuid_t none;
  const uuid_t *id = &request->goal_info_.goal_id_;
  action_msgs_msg_dds__GoalInfo_ canceling[MAX_GOALS];
  cancel_response_t response = {request->client_, request->sequence_, 0, {MAX_GOALS, 0, canceling, false}};
  int found = 0, active = 0;
  for (int i = 0; i < count; i++) {
    if (!same(id, &none) && !same(id, &goals[i].info.goal_id_)) continue;
    found++;
    if (goals[i].status >= SUCCEEDED) continue;
    active++;
    if (refuses) continue;
    goals[i].status = CANCELING;
    canceling[response.goals_canceling_._length++] = goals[i].info;
  }
  if (!same(id, &none) && found == 0) response.return_code_ = 2;
  else if (!same(id, &none) && active == 0) response.return_code_ = 3;
  else if (active > 0 && refuses) response.return_code_ = 1;
  reply(action->cancel.writer, &response);
  return active > 0 && !refuses;
}

static int serve(const struct action *action, double period, int refuses)
{
  static struct goal goals[MAX_GOALS];
  int count = 0;
  publish_status(action, goals, count);
  for (; !stopped; dds_sleepfor(DDS_MSECS(1))) {
    int changed = 0;
    for (send_request_t request; take(action->send.reader, &request); changed = 1)
      take_goal(action, &request, goals, &count, period);
    for (cancel_request_t request; take(action->cancel.reader, &request);)
      changed |= cancel(action, &request, goals, count, refuses);
    for (result_request_t request; take(action->result.reader, &request);) {
      struct goal *goal = NULL;
      for (int i = 0; i < count; i++)
        if (same(&goals[i].info.goal_id_, &request.goal_id_)) goal = &goals[i];
      if (goal == NULL || goal->status >= SUCCEEDED) reply_result(action, &request, goal);
      else goal->awaiting = request, goal->awaited = 1;
    }
    if (changed) publish_status(action, goals, count);
    for (int i = 0; i < count; i++) {
      if (goals[i].status >= SUCCEEDED || now() < goals[i].next) continue;
      goals[i].next += period;
      if (step(action, &goals[i])) publish_status(action, goals, count);
    }
  }
  return 0;
}

static int matched(dds_entity_t writer, dds_entity_t reader)
{
  dds_publication_matched_status_t requests = {0};
  dds_subscription_matched_status_t replies = {0};
  if (writer > 0) dds_get_publication_matched_status(writer, &requests);
  dds_get_subscription_matched_status(reader, &replies);
  return (writer == 0 || requests.current_count > 0) && replies.current_count > 0;
}

static int call(const struct action *action, int order, int cancel_after, int late, double timeout)
{
  const double end = now() + timeout;
  while (!matched(action->send.writer, action->send.reader) ||
         !matched(action->cancel.writer, action->cancel.reader) ||
         !matched(action->result.writer, action->result.reader) || !matched(0, action->feedback) ||
         !matched(0, action->status)) {
    if (stopped || now() > end) return 3;
    dds_sleepfor(DDS_MSECS(1));
  }
  dds_instance_handle_t client;
  dds_get_instance_handle(action->send.writer, &client);
  uuid_t id;
  const dds_time_t seed = dds_time();
  memcpy(id.octets_, &seed, 8);
  memcpy(id.octets_ + 8, &client, 8);
  const send_request_t request = {client, 1, id, {order}};
  if (!late) dds_write(action->send.writer, &request);
  status_t status = {0};
  feedback_t feedback = {0};
  cancel_response_t canceling = {0};
  result_response_t result = {0};
  int accepted = 0, feedbacks = 0;
  for (; !stopped && now() < end; dds_sleepfor(DDS_MSECS(1))) {
    while (take(action->status, &status)) {
      printf("{\"status\":[");
      for (uint32_t i = 0; i < status.status_list_._length; i++)
        printf(i == 0 ? "%d" : ",%d", status.status_list_._buffer[i].status_);
      printf("]}\n");
      if (late) dds_write(action->send.writer, &request);
      late = 0;
    }
    send_response_t taken;
    while (take(action->send.reader, &taken)) {
      if (taken.client_ != client) continue;
      printf("{\"accepted\":%s}\n", taken.accepted_ ? "true" : "false");
      if (!taken.accepted_) return 0;
      accepted = 1;
      const result_request_t question = {client, 2, id};
      dds_write(action->result.writer, &question);
    }
    while (accepted && take(action->feedback, &feedback)) {
      if (!same(&feedback.goal_id_, &id)) continue;
      putchar('{');
      print_numbers("feedback", &feedback.feedback_.sequence_);
      if (++feedbacks != cancel_after) continue;
      const cancel_request_t wish = {client, 3, {id, {0, 0}}};
      dds_write(action->cancel.writer, &wish);
    }
    while (take(action->cancel.reader, &canceling))
      if (canceling.client_ == client)
        printf("{\"cancel\":%d,\"goals\":%u}\n", canceling.return_code_, canceling.goals_canceling_._length);
    while (take(action->result.reader, &result)) {
      if (result.client_ != client) continue;
      printf("{\"result\":%d,", result.status_);
      print_numbers("sequence", &result.result_.sequence_);
      return 0;
    }
  }
  return 3;
}

int main(int argc, char **argv)
{
  const int server = argc > 1 && !strcmp(argv[1], "serve");
  if (!server && (argc < 2 || strcmp(argv[1], "call"))) return 2;
  const char *name = option(argc, argv, "--action", "/fibonacci");
  signal(SIGINT, on_signal);
  signal(SIGTERM, on_signal);
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  struct action action;
  action.participant =
    dds_create_participant((dds_domainid_t)atoi(option(argc, argv, "--domain", "0")), NULL, NULL);
  action.feedback = make_topic(&action, name, "feedback", server,
                               &example_interfaces_action_dds__Fibonacci_FeedbackMessage__desc,
                               make_qos(DDS_DURABILITY_VOLATILE, 10));
  action.status = make_topic(&action, name, "status", server, &action_msgs_msg_dds__GoalStatusArray__desc,
                             make_qos(DDS_DURABILITY_TRANSIENT_LOCAL, 1));
  make_service(&action, name, "cancel_goal", server, &action_msgs_srv_dds__CancelGoal_Request__desc,
               &action_msgs_srv_dds__CancelGoal_Response__desc, &action.cancel.writer, &action.cancel.reader);
  make_service(&action, name, "get_result", server,
               &example_interfaces_action_dds__Fibonacci_GetResult_Request__desc,
               &example_interfaces_action_dds__Fibonacci_GetResult_Response__desc, &action.result.writer,
               &action.result.reader);
  make_service(&action, name, "send_goal", server,
               &example_interfaces_action_dds__Fibonacci_SendGoal_Request__desc,
               &example_interfaces_action_dds__Fibonacci_SendGoal_Response__desc, &action.send.writer,
               &action.send.reader);
  if (action.send.writer < 0 || action.send.reader < 0 || action.status < 0) return 1;
  fprintf(stderr, "{\"ready\":true}\n");
  const int code = server ? serve(&action, atof(option(argc, argv, "--period", "10")) / 1e3,
                                  atoi(option(argc, argv, "--refuse-cancel", "0")))
                          : call(&action, atoi(option(argc, argv, "--order", "5")),
                                 atoi(option(argc, argv, "--cancel", "0")),
                                 atoi(option(argc, argv, "--late", "0")),
                                 atof(option(argc, argv, "--timeout", "10")));
  dds_delete(action.participant);
  return code;
}
