/*
 * A server or client of example_interfaces/srv/AddTwoInts on eProsima Fast DDS, as rmw_fastrtps_cpp is one, with the
 * command line, the output and the exit codes of the one on Cyclone DDS (../dds/service-peer.c).
 */
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include "found-readers.hpp"
#include "messages.hpp"
#include "options.hpp"

using namespace eprosima::fastdds::dds;
using eprosima::fastrtps::rtps::GUID_t;
using eprosima::fastrtps::rtps::WriteParams;

struct Request {
  static constexpr const char *name = "example_interfaces::srv::dds_::AddTwoInts_Request_";
  int64_t a = 0, b = 0;
  template <class Visitor> void visit(Visitor &v) { v("a", a), v("b", b); }
  void fill(long, const std::string &, size_t) {}
};

struct Response {
  static constexpr const char *name = "example_interfaces::srv::dds_::AddTwoInts_Response_";
  int64_t sum = 0;
  template <class Visitor> void visit(Visitor &v) { v("sum", sum); }
  void fill(long, const std::string &, size_t) {}
};

static std::atomic<bool> stopped{false};

/** Whether the condition holds within the time, or a signal has come. */
template <class Condition> static bool within(double timeout, Condition condition)
{
  using clock = std::chrono::steady_clock;
  for (const auto start = clock::now(); !stopped; std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
    if (condition()) return true;
    if (std::chrono::duration<double>(clock::now() - start).count() > timeout) return false;
  }
  return false;
}

static bool take(DataReader *reader, void *message, SampleInfo &info, double timeout)
{
  return within(timeout, [&] {
    return reader->take_next_sample(message, &info) == ReturnCode_t::RETCODE_OK && info.valid_data;
  });
}

static int serve(DataWriter *writer, FoundReaders &clients, DataReader *reader, long count, double timeout)
{
  for (long served = 0; count == 0 || served < count; served++) {
    Request request;
    SampleInfo info;
    if (!take(reader, &request, info, timeout)) return stopped ? 0 : 3;
    std::printf("{\"a\":%lld,\"b\":%lld}\n", (long long)request.a, (long long)request.b);
    WriteParams related;
    related.related_sample_identity() = info.sample_identity;
    const GUID_t &reply_reader = info.related_sample_identity.writer_guid();
    if (reply_reader != GUID_t::unknown()) related.related_sample_identity().writer_guid() = reply_reader;
    Response response;
    response.sum = request.a + request.b;
    clients.wait_for(related.related_sample_identity().writer_guid());
    if (!writer->write(&response, related)) return 1;
  }
  writer->wait_for_acknowledgments({5, 0});
  return 0;
}

static int call(DataWriter *writer, DataReader *reader, long count, double timeout, int64_t a, int64_t b)
{
  const bool matched = within(timeout, [&] {
    PublicationMatchedStatus requests;
    SubscriptionMatchedStatus replies;
    writer->get_publication_matched_status(requests);
    reader->get_subscription_matched_status(replies);
    return requests.current_count > 0 && replies.current_count > 0;
  });
  if (!matched) return 3;
  for (long called = 1; called <= count; called++) {
    Request request;
    request.a = a + called;
    request.b = b;
    WriteParams params;
    params.related_sample_identity().writer_guid() = reader->guid();
    if (!writer->write(&request, params)) return 1;
    Response response;
    SampleInfo info;
    do {
      if (!take(reader, &response, info, timeout)) return 3;
    } while (info.related_sample_identity.writer_guid() != reader->guid() ||
             info.related_sample_identity.sequence_number() != params.sample_identity().sequence_number());
    std::printf("{\"sum\":%lld}\n", (long long)response.sum);
  }
  return 0;
}

int main(int argc, char **argv)
{
  const Options options(argc, argv);
  const bool server = options.role() == "serve";
  if (!server && options.role() != "call") return 2;
  const std::string service = options.text("--service", "/add_two_ints");
  const long count = static_cast<long>(options.number("--count", 1));
  const double timeout = options.number("--timeout", 10);
  signal(SIGINT, [](int) { stopped = true; });
  signal(SIGTERM, [](int) { stopped = true; });
  setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  auto *factory = DomainParticipantFactory::get_instance();
  factory->load_profiles();
  DomainParticipantQos participant_qos;
  factory->get_default_participant_qos(participant_qos);
  auto *participant = factory->create_participant(static_cast<int>(options.number("--domain", 0)), participant_qos);
  if (participant == nullptr) return 1;
  const TypeSupport request_type(new MessageTypeOf<Request>), response_type(new MessageTypeOf<Response>);
  request_type.register_type(participant);
  response_type.register_type(participant);
  auto *requests = participant->create_topic("rq" + service + "Request", Request::name, TOPIC_QOS_DEFAULT);
  auto *replies = participant->create_topic("rr" + service + "Reply", Response::name, TOPIC_QOS_DEFAULT);
  DataWriterQos writer_qos;
  writer_qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
  writer_qos.history().depth = 10;
  DataReaderQos reader_qos;
  reader_qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
  reader_qos.history().depth = 10;
  FoundReaders found;
  auto *writer = participant->create_publisher(PUBLISHER_QOS_DEFAULT)
                   ->create_datawriter(server ? replies : requests, writer_qos, &found);
  auto *reader = participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT)
                   ->create_datareader(server ? requests : replies, reader_qos);
  if (writer == nullptr || reader == nullptr) return 1;
  std::fputs("{\"ready\":true}\n", stderr);
  const int code = server ? serve(writer, found, reader, count, timeout)
                          : call(writer, reader, count, timeout, atoll(options.text("--a", "0").c_str()),
                                 atoll(options.text("--b", "0").c_str()));
  participant->delete_contained_entities();
  factory->delete_participant(participant);
  return code;
}
