/*
 * A server or client of the action example_interfaces/action/Fibonacci on eProsima Fast DDS, as rmw_fastrtps_cpp and
 * rcl_action have one, with the command line, the output and the exit codes of the one on Cyclone DDS
 * (../dds/action-peer.c).
 */
#include <list>
#include <optional>
#include <random>
#include <string>
#include "services.hpp"

enum Status : uint8_t { UNKNOWN, ACCEPTED, EXECUTING, CANCELING, SUCCEEDED, CANCELED, ABORTED };
constexpr int MAX_ORDER = 40;

struct Uuid {
  std::array<uint8_t, 16> uuid{};
  template <class Visitor> void visit(Visitor &v) { v("uuid", uuid); }
};

struct GoalInfo {
  Uuid goal_id;
  Time stamp;
  template <class Visitor> void visit(Visitor &v) { v("goal_id", goal_id), v("stamp", stamp); }
};

struct GoalStatus {
  GoalInfo goal_info;
  uint8_t status = UNKNOWN;
  template <class Visitor> void visit(Visitor &v) { v("goal_info", goal_info), v("status", status); }
};

struct GoalStatusArray : Unnumbered {
  static constexpr const char *name = "action_msgs::msg::dds_::GoalStatusArray_";
  std::vector<GoalStatus> status_list;
  template <class Visitor> void visit(Visitor &v) { v("status_list", status_list); }
};

struct Feedback : Unnumbered {
  static constexpr const char *name = "example_interfaces::action::dds_::Fibonacci_FeedbackMessage_";
  Uuid goal_id;
  std::vector<int32_t> sequence;
  template <class Visitor> void visit(Visitor &v) { v("goal_id", goal_id), v("sequence", sequence); }
};

struct SendGoal {
  static constexpr const char *name = "send_goal";
  struct Request : Unnumbered {
    static constexpr const char *name = "example_interfaces::action::dds_::Fibonacci_SendGoal_Request_";
    Uuid goal_id;
    int32_t order = 0;
    template <class Visitor> void visit(Visitor &v) { v("goal_id", goal_id), v("order", order); }
  };
  struct Response : Unnumbered {
    static constexpr const char *name = "example_interfaces::action::dds_::Fibonacci_SendGoal_Response_";
    bool accepted = false;
    Time stamp;
    template <class Visitor> void visit(Visitor &v) { v("accepted", accepted), v("stamp", stamp); }
  };
};

struct CancelGoal {
  static constexpr const char *name = "cancel_goal";
  struct Request : Unnumbered {
    static constexpr const char *name = "action_msgs::srv::dds_::CancelGoal_Request_";
    GoalInfo goal_info;
    template <class Visitor> void visit(Visitor &v) { v("goal_info", goal_info); }
  };
  struct Response : Unnumbered {
    static constexpr const char *name = "action_msgs::srv::dds_::CancelGoal_Response_";
    uint8_t return_code = 0;
    std::vector<GoalInfo> goals_canceling;
    template <class Visitor> void visit(Visitor &v)
    {
      v("return_code", return_code), v("goals_canceling", goals_canceling);
    }
  };
};

struct GetResult {
  static constexpr const char *name = "get_result";
  struct Request : Unnumbered {
    static constexpr const char *name = "example_interfaces::action::dds_::Fibonacci_GetResult_Request_";
    Uuid goal_id;
    template <class Visitor> void visit(Visitor &v) { v("goal_id", goal_id); }
  };
  struct Response : Unnumbered {
    static constexpr const char *name = "example_interfaces::action::dds_::Fibonacci_GetResult_Response_";
    uint8_t status = UNKNOWN;
    std::vector<int32_t> sequence;
    template <class Visitor> void visit(Visitor &v) { v("status", status), v("sequence", sequence); }
  };
};

using Clock = std::chrono::steady_clock;

static std::chrono::duration<double> seconds(double number) { return std::chrono::duration<double>(number); }

static std::string text_of(const Uuid &id)
{
  std::string text;
  for (size_t i = 0; i < id.uuid.size(); i++) {
    char digits[4];
    std::snprintf(digits, sizeof digits, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id.uuid[i]);
    text += digits;
  }
  return text;
}

static std::string text_of(const std::vector<int32_t> &numbers)
{
  std::string text;
  for (const int32_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return "[" + text + "]";
}

struct Goal {
  GoalStatus status;
  int order = 0;
  std::vector<int32_t> sequence;
  Clock::time_point next;
  std::optional<SampleIdentity> asker;
};

static int serve(const Place &place, double period, bool refuses)
{
  DataWriter *feedback_writer = place.writer<Feedback>(place.part("rt", "feedback"));
  DataWriter *status_writer =
    place.writer<GoalStatusArray>(place.part("rt", "status"), TRANSIENT_LOCAL_DURABILITY_QOS, 1);
  Server<CancelGoal> cancel(place);
  Server<GetResult> result(place);
  Server<SendGoal> send(place);
  std::fputs("{\"ready\":true}\n", stderr);
  std::list<Goal> goals;
  const auto step = std::chrono::duration_cast<Clock::duration>(seconds(period));
  const auto publish_status = [&] {
    GoalStatusArray all;
    for (const Goal &goal : goals) all.status_list.push_back(goal.status);
    status_writer->write(&all);
  };
  const auto reply_result = [&](const SampleIdentity &asker, const Goal *goal) {
    GetResult::Response response;
    if (goal != nullptr) response.status = goal->status.status, response.sequence = goal->sequence;
    result.reply(asker, response);
  };
  publish_status();
  for (; !stopped; nap()) {
    bool changed = false;
    SampleIdentity asker;
    for (SendGoal::Request request; send.take(request, asker); changed = true) {
      SendGoal::Response response;
      response.accepted = request.order >= 0 && request.order <= MAX_ORDER;
      if (response.accepted) {
        const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
        const long long stamp = std::chrono::duration_cast<std::chrono::nanoseconds>(since_epoch).count();
        response.stamp = {static_cast<int32_t>(stamp / 1000000000), static_cast<uint32_t>(stamp % 1000000000)};
        Goal goal;
        goal.status = {{request.goal_id, response.stamp}, ACCEPTED};
        goal.order = request.order;
        goal.next = Clock::now() + step;
        goals.push_back(goal);
        std::printf("{\"goal\":\"%s\",\"order\":%d}\n", text_of(request.goal_id).c_str(), request.order);
      }
      send.reply(asker, response);
    }
    for (CancelGoal::Request request; cancel.take(request, asker);) {
      const auto &id = request.goal_info.goal_id.uuid;
      const bool all = id == Uuid{}.uuid;
      CancelGoal::Response response;
      bool found = false, active = false;
      for (Goal &goal : goals) {
        if (!all && id != goal.status.goal_info.goal_id.uuid) continue;
        found = true;
        if (goal.status.status >= SUCCEEDED) continue;
        active = true;
        if (refuses) continue;
        goal.status.status = CANCELING;
        response.goals_canceling.push_back(goal.status.goal_info);
        changed = true;
      }
      response.return_code = !all && !found ? 2 : !all && !active ? 3 : active && refuses ? 1 : 0;
      cancel.reply(asker, response);
    }
    for (GetResult::Request request; result.take(request, asker);) {
      Goal *asked = nullptr;
      for (Goal &goal : goals)
        if (goal.status.goal_info.goal_id.uuid == request.goal_id.uuid) asked = &goal;
      if (asked == nullptr || asked->status.status >= SUCCEEDED) reply_result(asker, asked);
      else asked->asker = asker;
    }
    if (changed) publish_status();
    for (Goal &goal : goals) {
      uint8_t &status = goal.status.status;
      if (status >= SUCCEEDED || Clock::now() < goal.next) continue;
      goal.next += step;
      const uint8_t before = status;
      if (status == ACCEPTED) status = EXECUTING;
      const size_t length = goal.sequence.size();
      if (before == CANCELING) status = CANCELED;
      else if (static_cast<int>(length) > goal.order) status = goal.order % 2 ? ABORTED : SUCCEEDED;
      else {
        const auto number = [&](size_t back) { return goal.sequence[length - back]; };
        goal.sequence.push_back(length < 2 ? static_cast<int32_t>(length) : number(1) + number(2));
        Feedback feedback;
        feedback.goal_id = goal.status.goal_info.goal_id;
        feedback.sequence = goal.sequence;
        feedback_writer->write(&feedback);
      }
      if (status >= SUCCEEDED) {
        std::printf("{\"ended\":\"%s\",\"status\":%d}\n", text_of(goal.status.goal_info.goal_id).c_str(), status);
        if (goal.asker) reply_result(*goal.asker, &goal);
      }
      if (status != before) publish_status();
    }
  }
  return 0;
}

static int call(const Place &place, int order, int cancel_after, bool late, double timeout)
{
  DataReader *feedback_reader = place.reader<Feedback>(place.part("rt", "feedback"));
  DataReader *status_reader =
    place.reader<GoalStatusArray>(place.part("rt", "status"), TRANSIENT_LOCAL_DURABILITY_QOS, 1);
  Client<CancelGoal> cancel(place);
  Client<GetResult> result(place);
  Client<SendGoal> send(place);
  std::fputs("{\"ready\":true}\n", stderr);
  const auto end = Clock::now() + seconds(timeout);
  const auto hears = [](DataReader *reader) {
    SubscriptionMatchedStatus status;
    reader->get_subscription_matched_status(status);
    return status.current_count > 0;
  };
  while (!send.matched() || !cancel.matched() || !result.matched() || !hears(feedback_reader) ||
         !hears(status_reader)) {
    if (stopped || Clock::now() > end) return 3;
    nap();
  }
  SendGoal::Request request;
  std::random_device random;
  for (uint8_t &octet : request.goal_id.uuid) octet = static_cast<uint8_t>(random());
  request.order = order;
  if (!late) send.call(request);
  bool accepted = false;
  int feedbacks = 0;
  for (; !stopped && Clock::now() < end; nap()) {
    SampleInfo info;
    for (GoalStatusArray status; take(status_reader, status, info);) {
      std::vector<int32_t> states;
      for (const GoalStatus &goal : status.status_list) states.push_back(goal.status);
      std::printf("{\"status\":%s}\n", text_of(states).c_str());
      if (late) send.call(request);
      late = false;
    }
    for (SendGoal::Response response; send.take(response);) {
      std::printf("{\"accepted\":%s}\n", response.accepted ? "true" : "false");
      if (!response.accepted) return 0;
      accepted = true;
      GetResult::Request question;
      question.goal_id = request.goal_id;
      result.call(question);
    }
    for (Feedback feedback; accepted && take(feedback_reader, feedback, info);) {
      if (feedback.goal_id.uuid != request.goal_id.uuid) continue;
      std::printf("{\"feedback\":%s}\n", text_of(feedback.sequence).c_str());
      if (++feedbacks != cancel_after) continue;
      CancelGoal::Request wish;
      wish.goal_info.goal_id = request.goal_id;
      cancel.call(wish);
    }
    for (CancelGoal::Response response; cancel.take(response);)
      std::printf("{\"cancel\":%d,\"goals\":%zu}\n", response.return_code, response.goals_canceling.size());
    GetResult::Response response;
    if (result.take(response)) {
      std::printf("{\"result\":%d,\"sequence\":%s}\n", response.status, text_of(response.sequence).c_str());
      return 0;
    }
  }
  return 3;
}

int main(int argc, char **argv)
{
  const Options options(argc, argv);
  const auto number = [&](const char *name, int otherwise) { return static_cast<int>(options.number(name, otherwise)); };
  return play(
    options, options.text("--action", "/fibonacci") + "/_action/",
    [&](const Place &place) {
      return serve(place, options.number("--period", 10) / 1e3, number("--refuse-cancel", 0) != 0);
    },
    [&](const Place &place) {
      return call(place, number("--order", 5), number("--cancel", 0), number("--late", 0) != 0,
                  options.number("--timeout", 10));
    });
}
