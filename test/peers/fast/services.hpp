// Services as rmw_fastrtps_cpp has them: the requests and responses are those of rosidl as they are, and who has asked
// what stands in the related sample identity.
#pragma once
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
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
using eprosima::fastrtps::rtps::SampleIdentity;
using eprosima::fastrtps::rtps::WriteParams;

/** A message that is never filled by the number of its sample. */
struct Unnumbered {
  void fill(long, const std::string &, size_t) {}
};

static void nap() { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }

template <class Qos> static Qos reliable(DurabilityQosPolicyKind durability, int depth)
{
  Qos qos;
  qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
  qos.durability().kind = durability;
  qos.history().depth = depth;
  qos.endpoint().history_memory_policy = eprosima::fastrtps::rtps::PREALLOCATED_WITH_REALLOC_MEMORY_MODE;
  return qos;
}

/** The participant, and what the topics of all services begin with behind their kind, such as `/fibonacci/_action/`. */
struct Place {
  DomainParticipant *participant;
  std::string name;
  Publisher *publisher;
  Subscriber *subscriber;

  template <class Message> Topic *topic(const std::string &name) const
  {
    const TypeSupport type(new MessageTypeOf<Message>);
    type.register_type(participant);
    return participant->create_topic(name, Message::name, TOPIC_QOS_DEFAULT);
  }
  template <class Message>
  DataWriter *writer(const std::string &name, DurabilityQosPolicyKind durability = VOLATILE_DURABILITY_QOS,
                     int depth = 10, DataWriterListener *listener = nullptr) const
  {
    return publisher->create_datawriter(topic<Message>(name), reliable<DataWriterQos>(durability, depth), listener);
  }
  template <class Message>
  DataReader *reader(const std::string &name, DurabilityQosPolicyKind durability = VOLATILE_DURABILITY_QOS,
                     int depth = 10) const
  {
    return subscriber->create_datareader(topic<Message>(name), reliable<DataReaderQos>(durability, depth));
  }
  std::string part(const char *kind, const char *part, const char *end = "") const { return kind + name + part + end; }
};

template <class Message> static bool take(DataReader *reader, Message &message, SampleInfo &info)
{
  return reader->take_next_sample(&message, &info) == ReturnCode_t::RETCODE_OK && info.valid_data;
}

/** A service, as its server has it. */
template <class Service> class Server {
  FoundReaders clients_;
  DataWriter *replies_;
  DataReader *requests_;

public:
  explicit Server(const Place &place)
    : replies_(place.writer<typename Service::Response>(place.part("rr", Service::name, "Reply"),
                                                        VOLATILE_DURABILITY_QOS, 10, &clients_)),
      requests_(place.reader<typename Service::Request>(place.part("rq", Service::name, "Request"))) {}
  ~Server() { replies_->set_listener(nullptr); }
  bool take(typename Service::Request &request, SampleIdentity &asker)
  {
    SampleInfo info;
    if (!::take(requests_, request, info)) return false;
    asker = info.sample_identity;
    const GUID_t &reply_reader = info.related_sample_identity.writer_guid();
    if (reply_reader != GUID_t::unknown()) asker.writer_guid() = reply_reader;
    return true;
  }
  void reply(const SampleIdentity &asker, typename Service::Response response)
  {
    clients_.wait_for(asker.writer_guid());
    WriteParams related;
    related.related_sample_identity() = asker;
    replies_->write(&response, related);
  }
};

/** A service, as a client has it that calls it once. */
template <class Service> class Client {
  DataWriter *requests_;
  DataReader *replies_;
  WriteParams sent_;

public:
  explicit Client(const Place &place)
    : requests_(place.writer<typename Service::Request>(place.part("rq", Service::name, "Request"))),
      replies_(place.reader<typename Service::Response>(place.part("rr", Service::name, "Reply"))) {}
  bool matched() const
  {
    PublicationMatchedStatus requests;
    SubscriptionMatchedStatus replies;
    requests_->get_publication_matched_status(requests);
    replies_->get_subscription_matched_status(replies);
    return requests.current_count > 0 && replies.current_count > 0;
  }
  void call(typename Service::Request request)
  {
    sent_.related_sample_identity().writer_guid() = replies_->guid();
    requests_->write(&request, sent_);
  }
  bool take(typename Service::Response &response)
  {
    SampleInfo info;
    while (::take(replies_, response, info)) {
      const SampleIdentity &related = info.related_sample_identity;
      if (related.writer_guid() == replies_->guid() &&
          related.sequence_number() == sent_.sample_identity().sequence_number())
        return true;
    }
    return false;
  }
};

static std::atomic<bool> stopped{false};

/** Plays the role, `serve` or `call`, that the command line names, in its domain until it is done or is to stop. */
template <class Serve, class Call>
static int play(const Options &options, const std::string &name, Serve serve, Call call)
{
  const bool server = options.role() == "serve";
  if (!server && options.role() != "call") return 2;
  signal(SIGINT, [](int) { stopped = true; });
  signal(SIGTERM, [](int) { stopped = true; });
  setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  auto *factory = DomainParticipantFactory::get_instance();
  factory->load_profiles();
  DomainParticipantQos qos;
  factory->get_default_participant_qos(qos);
  auto *participant = factory->create_participant(static_cast<int>(options.number("--domain", 0)), qos);
  if (participant == nullptr) return 1;
  const Place place{participant, name, participant->create_publisher(PUBLISHER_QOS_DEFAULT),
                    participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT)};
  const int code = server ? serve(place) : call(place);
  participant->delete_contained_entities();
  factory->delete_participant(participant);
  return code;
}
