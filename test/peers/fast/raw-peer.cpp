/*
 * A participant on eProsima Fast DDS that has no types: it carries CDR as it is told, as hexadecimal digits with the
 * encapsulation header. `raw-peer raw --domain N` reads commands, one in a line, until its standard input ends:
 *
 *   writer TOPIC TYPE [USERDATA]  makes a reliable, transient-local writer; prints {"writer":"GUID"}
 *   write TOPIC CDR               writes with it
 *   serve SERVICE TYPE CDR        answers each request of a service as rmw_fastrtps_cpp does, always alike; prints
 *                                 {"server":["GUID of the reader","GUID of the writer"]}, then {"request":"CDR"}
 *
 * Topics and types are named as in DDS; a service's without rq/ and rr/, Request and Reply, _Request_ and _Response_.
 * On standard error it prints {"guid":"GUID"} of the participant first. Ends with 2 at a command that it cannot do.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>
#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/DataReaderListener.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/TopicDataType.hpp>

using namespace eprosima::fastdds::dds;
using eprosima::fastrtps::rtps::GUID_t;
using eprosima::fastrtps::rtps::WriteParams;
using Bytes = std::vector<unsigned char>;

static std::string hex(const unsigned char *bytes, size_t length)
{
  std::string text(2 * length, ' ');
  for (size_t i = 0; i < 2 * length; i++) text[i] = "0123456789abcdef"[bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
  return text;
}

static std::string hex(const GUID_t &guid)
{
  return hex(guid.guidPrefix.value, sizeof guid.guidPrefix.value) +
         hex(guid.entityId.value, sizeof guid.entityId.value);
}

static Bytes bytes_of(const std::string &text)
{
  Bytes bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<unsigned char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

/** Of any name: a message is the bytes that are on the wire. */
class RawType final : public TopicDataType {
  using Payload = eprosima::fastrtps::rtps::SerializedPayload_t;

public:
  explicit RawType(const std::string &name)
  {
    setName(name.c_str());
    m_typeSize = 256;
    auto_fill_type_object(false);
    auto_fill_type_information(false);
  }
  bool serialize(void *data, Payload *payload) override
  {
    const Bytes &bytes = *static_cast<Bytes *>(data);
    if (bytes.size() < 4 || bytes.size() > payload->max_size) return false;
    payload->encapsulation = bytes[1] & 1 ? CDR_LE : CDR_BE;
    payload->length = static_cast<uint32_t>(bytes.size());
    std::memcpy(payload->data, bytes.data(), bytes.size());
    return true;
  }
  bool deserialize(Payload *payload, void *data) override
  {
    static_cast<Bytes *>(data)->assign(payload->data, payload->data + payload->length);
    return true;
  }
  std::function<uint32_t()> getSerializedSizeProvider(void *data) override
  {
    return [data] { return static_cast<uint32_t>(static_cast<Bytes *>(data)->size()); };
  }
  void *createData() override { return new Bytes; }
  void deleteData(void *data) override { delete static_cast<Bytes *>(data); }
  bool getKey(void *, eprosima::fastrtps::rtps::InstanceHandle_t *, bool) override { return false; }
};

class Answerer final : public DataReaderListener {
  DataWriter *writer_;
  Bytes answer_;

public:
  Answerer(DataWriter *writer, Bytes answer) : writer_(writer), answer_(std::move(answer)) {}
  void on_data_available(DataReader *reader) override
  {
    Bytes request;
    for (SampleInfo info; reader->take_next_sample(&request, &info) == ReturnCode_t::RETCODE_OK;) {
      if (!info.valid_data) continue;
      std::printf("{\"request\":\"%s\"}\n", hex(request.data(), request.size()).c_str());
      WriteParams related;
      related.related_sample_identity() = info.sample_identity;
      const GUID_t &reply_reader = info.related_sample_identity.writer_guid();
      if (reply_reader != GUID_t::unknown()) related.related_sample_identity().writer_guid() = reply_reader;
      writer_->write(&answer_, related);
    }
  }
};

class Peer {
  DomainParticipant *participant_;
  Publisher *publisher_;
  Subscriber *subscriber_;
  std::map<std::string, DataWriter *> writers_;
  std::vector<std::unique_ptr<Answerer>> answerers_;

public:
  explicit Peer(DomainParticipant *participant)
    : participant_(participant),
      publisher_(participant->create_publisher(PUBLISHER_QOS_DEFAULT)),
      subscriber_(participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT))
  {
  }
  /** Before the listeners go. */
  ~Peer() { participant_->delete_contained_entities(); }

  bool run(const std::string &line)
  {
    std::istringstream words(line);
    std::string command, name, type, rest;
    words >> command >> name;
    if (command == "write") {
      words >> rest;
      Bytes bytes = bytes_of(rest);
      const auto writer = writers_.find(name);
      return writer != writers_.end() && writer->second->write(&bytes);
    }
    words >> type >> rest;
    if (command == "writer") {
      DataWriterQos qos = writer_qos();
      qos.durability().kind = TRANSIENT_LOCAL_DURABILITY_QOS;
      qos.user_data().data_vec(Bytes(rest.begin(), rest.end()));
      DataWriter *writer = publisher_->create_datawriter(topic(name, type), qos);
      if (writer == nullptr) return false;
      writers_[name] = writer;
      std::printf("{\"writer\":\"%s\"}\n", hex(writer->guid()).c_str());
      return true;
    }
    return command == "serve" && serve(name, type, bytes_of(rest));
  }

private:
  bool serve(const std::string &service, const std::string &type, Bytes answer)
  {
    DataWriter *writer =
      publisher_->create_datawriter(topic("rr" + service + "Reply", type + "_Response_"), writer_qos());
    if (writer == nullptr) return false;
    answerers_.push_back(std::make_unique<Answerer>(writer, std::move(answer)));
    DataReaderQos qos;
    qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    qos.history().depth = 10;
    qos.endpoint().history_memory_policy = eprosima::fastrtps::rtps::PREALLOCATED_WITH_REALLOC_MEMORY_MODE;
    DataReader *reader = subscriber_->create_datareader(topic("rq" + service + "Request", type + "_Request_"), qos,
                                                        answerers_.back().get());
    if (reader == nullptr) return false;
    std::printf("{\"server\":[\"%s\",\"%s\"]}\n", hex(reader->guid()).c_str(), hex(writer->guid()).c_str());
    return true;
  }
  static DataWriterQos writer_qos()
  {
    DataWriterQos qos;
    qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    qos.history().depth = 10;
    qos.endpoint().history_memory_policy = eprosima::fastrtps::rtps::PREALLOCATED_WITH_REALLOC_MEMORY_MODE;
    return qos;
  }
  Topic *topic(const std::string &name, const std::string &type)
  {
    TypeSupport(new RawType(type)).register_type(participant_);
    return participant_->create_topic(name, type, TOPIC_QOS_DEFAULT);
  }
};

int main(int argc, char **argv)
{
  int domain = -1;
  for (int i = 2; i + 1 < argc; i += 2)
    if (!strcmp(argv[i], "--domain")) domain = atoi(argv[i + 1]);
  if (domain < 0) return 2;
  setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  auto *factory = DomainParticipantFactory::get_instance();
  factory->load_profiles();
  DomainParticipantQos qos;
  factory->get_default_participant_qos(qos);
  auto *participant = factory->create_participant(domain, qos);
  if (participant == nullptr) return 1;
  std::fprintf(stderr, "{\"guid\":\"%s\"}\n", hex(participant->guid()).c_str());
  bool done = true;
  {
    Peer peer(participant);
    for (std::string line; done && std::getline(std::cin, line);) done = peer.run(line);
  }
  factory->delete_participant(participant);
  return done ? 0 : 2;
}
