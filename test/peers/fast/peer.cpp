/*
 * A talker or listener on eProsima Fast DDS with ROS 2's type names, with the command line, the output and the exit
 * codes of the one on Cyclone DDS (../dds/peer.c). Types: string, float64, twist, imu, image, wstring. Also:
 *
 *   --lease S   the participant's lease
 *   --loss P    percent of what it sends that is lost: data, heartbeats and discovery
 *
 * The transport is of the profile that FASTRTPS_DEFAULT_PROFILES_FILE names.
 */
#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>
#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/rtps/transport/test_UDPv4TransportDescriptor.h>
#include "messages.hpp"
#include "options.hpp"

using namespace eprosima::fastdds::dds;
using eprosima::fastrtps::Duration_t;

static std::atomic<bool> stopped{false};

static double now()
{
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static Duration_t milliseconds(double span)
{
  const long long nanoseconds = llround(span * 1e6);
  return {static_cast<int32_t>(nanoseconds / 1000000000), static_cast<uint32_t>(nanoseconds % 1000000000)};
}

static void sleep_ms(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

static int fail(const char *what)
{
  fprintf(stderr, "{\"error\":\"%s\"}\n", what);
  return 1;
}

static MessageType *make_type(const std::string &name)
{
  if (name == "string") return new MessageTypeOf<String>;
  if (name == "float64") return new MessageTypeOf<Float64>;
  if (name == "twist") return new MessageTypeOf<Twist>;
  if (name == "imu") return new MessageTypeOf<Imu>;
  if (name == "image") return new MessageTypeOf<Image>;
  if (name == "wstring") return new MessageTypeOf<WString>;
  return nullptr;
}

/* What the endpoint's statuses say, told when it changes. */
class Monitor {
  int matched_ = 0, incompatible_ = 0, missed_ = 0, alive_ = 0;

public:
  int matched() const { return matched_; }
  void observe(DataWriter *writer)
  {
    PublicationMatchedStatus matched;
    writer->get_publication_matched_status(matched);
    tell("matched", matched.current_count, matched_);
    OfferedIncompatibleQosStatus incompatible;
    writer->get_offered_incompatible_qos_status(incompatible);
    tell("incompatible", static_cast<int>(incompatible.last_policy_id), incompatible_);
    OfferedDeadlineMissedStatus missed;
    writer->get_offered_deadline_missed_status(missed);
    tell("missed", static_cast<int>(missed.total_count), missed_);
  }
  void observe(DataReader *reader)
  {
    SubscriptionMatchedStatus matched;
    reader->get_subscription_matched_status(matched);
    tell("matched", matched.current_count, matched_);
    RequestedIncompatibleQosStatus incompatible;
    reader->get_requested_incompatible_qos_status(incompatible);
    tell("incompatible", static_cast<int>(incompatible.last_policy_id), incompatible_);
    RequestedDeadlineMissedStatus missed;
    reader->get_requested_deadline_missed_status(missed);
    tell("missed", static_cast<int>(missed.total_count), missed_);
    LivelinessChangedStatus liveliness;
    reader->get_liveliness_changed_status(liveliness);
    tell("alive", liveliness.alive_count, alive_);
  }

private:
  static void tell(const char *what, int value, int &last)
  {
    if (value == last) return;
    last = value;
    fprintf(stderr, "{\"%s\":%d}\n", what, value);
  }
};

static int publish(DataWriter *writer, MessageType *type, const Options &options)
{
  const long count = static_cast<long>(options.number("--count", 10));
  const double rate = options.number("--rate", 10), timeout = options.number("--timeout", 10);
  const int match = static_cast<int>(options.number("--match", 1));
  const std::string text = options.text("--text", "message ");
  const size_t size = static_cast<size_t>(options.number("--size", 0));
  Monitor monitor;
  for (const double start = now();;) {
    monitor.observe(writer);
    if (stopped || monitor.matched() >= match) break;
    if (now() - start > timeout) return 3;
    sleep_ms(1);
  }
  void *message = type->createData();
  long sent = 0;
  for (const double first = now(); !stopped && (count == 0 || sent < count);) {
    type->fill(message, sent + 1, text + std::to_string(sent + 1), size);
    if (!writer->write(message)) return fail("write");
    sent++;
    monitor.observe(writer);
    for (; rate > 0 && !stopped && now() < first + static_cast<double>(sent) / rate; sleep_ms(1))
      monitor.observe(writer);
  }
  type->deleteData(message);
  writer->wait_for_acknowledgments({10, 0});
  fprintf(stderr, "{\"sent\":%ld}\n", sent);
  for (const double end = now() + options.number("--idle", 1); !stopped && now() < end; sleep_ms(5)) {
    monitor.observe(writer);
    if (options.number("--assert", 0) != 0) writer->assert_liveliness();
  }
  return 0;
}

static int subscribe(DataReader *reader, MessageType *type, const Options &options)
{
  const long count = static_cast<long>(options.number("--count", 10));
  const double timeout = options.number("--timeout", 10), idle = options.number("--idle", 1);
  const bool print = options.number("--print", 0) != 0;
  const double start = now();
  double latest = start;
  long received = 0;
  Monitor monitor;
  void *message = type->createData();
  while (!stopped && (count == 0 || received < count)) {
    monitor.observe(reader);
    SampleInfo info;
    if (reader->take_next_sample(message, &info) == ReturnCode_t::RETCODE_OK) {
      if (!info.valid_data) continue;
      received++;
      latest = now();
      if (!print) continue;
      type->print(stdout, message);
      fputc('\n', stdout);
      fflush(stdout);
    } else if (received > 0 && now() - latest > idle) break;
    else if (received == 0 && now() - start > timeout) return 3;
    else sleep_ms(1);
  }
  type->deleteData(message);
  fprintf(stderr, "{\"received\":%ld}\n", received);
  return 0;
}

template <class EndpointQos> static EndpointQos endpoint_qos(const Options &options)
{
  EndpointQos qos;
  qos.reliability().kind =
    options.text("--rel", "r") == "r" ? RELIABLE_RELIABILITY_QOS : BEST_EFFORT_RELIABILITY_QOS;
  qos.reliability().max_blocking_time = {10, 0};
  qos.durability().kind =
    options.text("--dur", "v") == "t" ? TRANSIENT_LOCAL_DURABILITY_QOS : VOLATILE_DURABILITY_QOS;
  const int depth = static_cast<int>(options.number("--depth", 10));
  qos.history().kind = depth > 0 ? KEEP_LAST_HISTORY_QOS : KEEP_ALL_HISTORY_QOS;
  if (depth > 0) qos.history().depth = depth;
  qos.endpoint().history_memory_policy = eprosima::fastrtps::rtps::PREALLOCATED_WITH_REALLOC_MEMORY_MODE;
  const double deadline = options.number("--deadline", 0);
  if (deadline > 0) qos.deadline().period = milliseconds(deadline);
  const std::string liveliness = options.text("--liveliness", "a");
  qos.liveliness().kind = liveliness == "a" ? AUTOMATIC_LIVELINESS_QOS
                          : liveliness == "p" ? MANUAL_BY_PARTICIPANT_LIVELINESS_QOS
                                              : MANUAL_BY_TOPIC_LIVELINESS_QOS;
  const double lease = options.number("--liveliness-lease", 0);
  if (lease > 0) {
    qos.liveliness().lease_duration = milliseconds(lease);
    qos.liveliness().announcement_period = milliseconds(lease / 3);
  }
  if (options.text("--ownership", "s") == "e") qos.ownership().kind = EXCLUSIVE_OWNERSHIP_QOS;
  return qos;
}

static DomainParticipant *create_participant(const Options &options)
{
  auto *factory = DomainParticipantFactory::get_instance();
  factory->load_profiles();
  DomainParticipantQos qos;
  factory->get_default_participant_qos(qos);
  const double lease = options.number("--lease", 0);
  if (lease > 0) {
    auto &discovery = qos.wire_protocol().builtin.discovery_config;
    discovery.leaseDuration = milliseconds(lease * 1000);
    discovery.leaseDuration_announcementperiod = milliseconds(lease * 1000 / 3);
  }
  const double loss = options.number("--loss", 0);
  if (loss > 0) {
    auto lossy = std::make_shared<eprosima::fastdds::rtps::test_UDPv4TransportDescriptor>();
    lossy->percentageOfMessagesToDrop = static_cast<uint8_t>(loss);
    lossy->interfaceWhiteList = {"127.0.0.1"};
    qos.transport().user_transports = {lossy};
  }
  return factory->create_participant(static_cast<uint32_t>(options.number("--domain", 0)), qos);
}

int main(int argc, char **argv)
{
  const Options options(argc, argv);
  const bool pub = options.role() == "pub";
  if (!pub && options.role() != "sub") return 2;
  MessageType *type = make_type(options.text("--type", "string"));
  if (type == nullptr) return 2;
  signal(SIGINT, [](int) { stopped = true; });
  signal(SIGTERM, [](int) { stopped = true; });
  setvbuf(stderr, nullptr, _IOLBF, BUFSIZ);
  DomainParticipant *participant = create_participant(options);
  if (participant == nullptr) return fail("participant");
  const TypeSupport support(type);
  support.register_type(participant);
  const std::string name = options.text("--topic", "rt/chatter");
  std::vector<Topic *> topics;
  for (int i = 0; i <= static_cast<int>(options.number("--others", 0)); i++) {
    const std::string topic = i == 0 ? name : name + "_" + std::to_string(i);
    topics.push_back(participant->create_topic(topic, support.get_type_name(), TOPIC_QOS_DEFAULT));
    if (topics.back() == nullptr) return fail("topic");
  }
  int code = 1;
  const std::string partition = options.text("--partition", "");
  if (pub) {
    PublisherQos group;
    if (!partition.empty()) group.partition().push_back(partition.c_str());
    DataWriterQos qos = endpoint_qos<DataWriterQos>(options);
    qos.ownership_strength().value = static_cast<uint32_t>(options.number("--strength", 0));
    const double lifespan = options.number("--lifespan", 0);
    if (lifespan > 0) qos.lifespan().duration = milliseconds(lifespan);
    Publisher *publisher = participant->create_publisher(group);
    std::vector<DataWriter *> writers;
    for (Topic *topic : topics) writers.push_back(publisher->create_datawriter(topic, qos));
    if (writers.back() == nullptr) return fail("endpoint");
    fputs("{\"ready\":true}\n", stderr);
    code = publish(writers.front(), type, options);
  } else {
    SubscriberQos group;
    if (!partition.empty()) group.partition().push_back(partition.c_str());
    Subscriber *subscriber = participant->create_subscriber(group);
    std::vector<DataReader *> readers;
    for (Topic *topic : topics)
      readers.push_back(subscriber->create_datareader(topic, endpoint_qos<DataReaderQos>(options)));
    if (readers.back() == nullptr) return fail("endpoint");
    fputs("{\"ready\":true}\n", stderr);
    code = subscribe(readers.front(), type, options);
  }
  participant->delete_contained_entities();
  DomainParticipantFactory::get_instance()->delete_participant(participant);
  return code;
}
