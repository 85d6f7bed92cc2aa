// The messages that the peer can talk and hear, as ROS 2's typesupport for Fast DDS has them: plain structures that
// fastcdr writes and reads, without type information.
#pragma once
#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <type_traits>
#include <vector>
#include <fastcdr/Cdr.h>
#include <fastdds/dds/topic/TopicDataType.hpp>

using Covariance = std::array<double, 9>;

template <class Value> constexpr bool is_array = false;
template <class Element, size_t length> constexpr bool is_array<std::array<Element, length>> = true;

/** Whether the value is a structure of members, which it shows to a visitor. */
template <class Value> constexpr bool is_structure = std::is_aggregate_v<Value> && !is_array<Value>;

struct Time {
  int32_t sec = 0;
  uint32_t nanosec = 0;
  template <class Visitor> void visit(Visitor &v) { v("sec", sec), v("nanosec", nanosec); }
};

struct Header {
  Time stamp;
  std::string frame_id;
  template <class Visitor> void visit(Visitor &v) { v("stamp", stamp), v("frame_id", frame_id); }
  void fill(long i, const std::string &text)
  {
    stamp = {static_cast<int32_t>(i), 500000000u};
    frame_id = text;
  }
};

struct Vector3 {
  double x = 0, y = 0, z = 0;
  template <class Visitor> void visit(Visitor &v) { v("x", x), v("y", y), v("z", z); }
};

struct Quaternion {
  double x = 0, y = 0, z = 0, w = 0;
  template <class Visitor> void visit(Visitor &v) { v("x", x), v("y", y), v("z", z), v("w", w); }
};

struct String {
  static constexpr const char *name = "std_msgs::msg::dds_::String_";
  std::string data;
  template <class Visitor> void visit(Visitor &v) { v("data", data); }
  void fill(long, const std::string &text, size_t) { data = text; }
};

struct WString {
  static constexpr const char *name = "example_interfaces::msg::dds_::WString_";
  std::wstring data;
  template <class Visitor> void visit(Visitor &v) { v("data", data); }
  /** Of each plane that ROS 2 tells apart a character, as the UTF-16 code units that it writes. */
  void fill(long, const std::string &text, size_t)
  {
    data.assign(text.begin(), text.end());
    data += L" h\x00e9\x20ac\xd83d\xde00";
  }
};

struct Float64 {
  static constexpr const char *name = "std_msgs::msg::dds_::Float64_";
  double data = 0;
  template <class Visitor> void visit(Visitor &v) { v("data", data); }
  void fill(long i, const std::string &, size_t) { data = static_cast<double>(i) + 0.5; }
};

struct Twist {
  static constexpr const char *name = "geometry_msgs::msg::dds_::Twist_";
  Vector3 linear, angular;
  template <class Visitor> void visit(Visitor &v) { v("linear", linear), v("angular", angular); }
  void fill(long i, const std::string &, size_t)
  {
    linear.x = static_cast<double>(i);
    angular.z = static_cast<double>(-i) / 4;
  }
};

struct Imu {
  static constexpr const char *name = "sensor_msgs::msg::dds_::Imu_";
  Header header;
  Quaternion orientation;
  Covariance orientation_covariance{};
  Vector3 angular_velocity;
  Covariance angular_velocity_covariance{};
  Vector3 linear_acceleration;
  Covariance linear_acceleration_covariance{};
  template <class Visitor> void visit(Visitor &v)
  {
    v("header", header);
    v("orientation", orientation), v("orientation_covariance", orientation_covariance);
    v("angular_velocity", angular_velocity), v("angular_velocity_covariance", angular_velocity_covariance);
    v("linear_acceleration", linear_acceleration), v("linear_acceleration_covariance", linear_acceleration_covariance);
  }
  void fill(long i, const std::string &text, size_t)
  {
    header.fill(i, text);
    orientation.w = 1;
    orientation_covariance[0] = -1;
    angular_velocity.z = static_cast<double>(i) / 16;
    angular_velocity_covariance[4] = 0.25;
    linear_acceleration.z = 9.8125;
    linear_acceleration_covariance[8] = 0.125;
  }
};

struct Image {
  static constexpr const char *name = "sensor_msgs::msg::dds_::Image_";
  Header header;
  uint32_t height = 0, width = 0;
  std::string encoding;
  uint8_t is_bigendian = 0;
  uint32_t step = 0;
  std::vector<uint8_t> data;
  template <class Visitor> void visit(Visitor &v)
  {
    v("header", header), v("height", height), v("width", width), v("encoding", encoding);
    v("is_bigendian", is_bigendian), v("step", step), v("data", data);
  }
  /** One row of `size` octets, of which the first tells the number and each depends on its place and the first. */
  void fill(long i, const std::string &text, size_t size)
  {
    header.fill(i, text);
    height = 1;
    width = step = static_cast<uint32_t>(size);
    encoding = "mono8";
    data.resize(size);
    for (size_t at = 0; at < size; at++) data[at] = static_cast<uint8_t>(at * 7 + at / 251 + static_cast<size_t>(i));
  }
};

class CdrWriter {
  eprosima::fastcdr::Cdr &cdr_;

public:
  explicit CdrWriter(eprosima::fastcdr::Cdr &cdr) : cdr_(cdr) {}
  template <class Value> void operator()(const char *, Value &value)
  {
    if constexpr (is_structure<Value>) value.visit(*this);
    else cdr_ << value;
  }
  template <class Element> std::enable_if_t<is_structure<Element>> operator()(const char *, std::vector<Element> &list)
  {
    cdr_ << static_cast<uint32_t>(list.size());
    for (Element &element : list) element.visit(*this);
  }
};

class CdrReader {
  eprosima::fastcdr::Cdr &cdr_;

public:
  explicit CdrReader(eprosima::fastcdr::Cdr &cdr) : cdr_(cdr) {}
  template <class Value> void operator()(const char *, Value &value)
  {
    if constexpr (is_structure<Value>) value.visit(*this);
    else cdr_ >> value;
  }
  template <class Element> std::enable_if_t<is_structure<Element>> operator()(const char *, std::vector<Element> &list)
  {
    uint32_t length;
    cdr_ >> length;
    for (list.clear(); length > 0; length--) list.emplace_back().visit(*this);
  }
};

class JsonPrinter {
  std::FILE *out_;
  bool first_ = true;

public:
  explicit JsonPrinter(std::FILE *out) : out_(out) {}
  template <class Value> void operator()(const char *name, Value &value)
  {
    std::fprintf(out_, first_ ? "\"%s\":" : ",\"%s\":", name);
    first_ = false;
    if constexpr (is_structure<Value>) structure(value);
    else print(value);
  }
  template <class Structure> void structure(Structure &value)
  {
    std::fputc('{', out_);
    JsonPrinter members(out_);
    value.visit(members);
    std::fputc('}', out_);
  }

private:
  void print(double value) { std::fprintf(out_, "%.17g", value); }
  void print(bool value) { std::fputs(value ? "true" : "false", out_); }
  void print(int32_t value) { std::fprintf(out_, "%d", value); }
  void print(uint32_t value) { std::fprintf(out_, "%u", value); }
  void print(int64_t value) { std::fprintf(out_, "%lld", static_cast<long long>(value)); }
  void print(uint8_t value) { std::fprintf(out_, "%u", value); }
  void print(const std::string &text)
  {
    std::fputc('"', out_);
    for (const char c : text) {
      if (c == '"' || c == '\\') std::fprintf(out_, "\\%c", c);
      else if (static_cast<unsigned char>(c) < 0x20) std::fprintf(out_, "\\u%04x", c);
      else std::fputc(c, out_);
    }
    std::fputc('"', out_);
  }
  /** Code units, which together are UTF-16. */
  void print(const std::wstring &text)
  {
    std::fputc('"', out_);
    for (const wchar_t c : text) std::fprintf(out_, "\\u%04x", static_cast<unsigned>(c) & 0xffffu);
    std::fputc('"', out_);
  }
  /** Tells of an image's data whether they are as `fill` makes them, not what they are. */
  void print(std::vector<uint8_t> &data)
  {
    bool intact = true;
    for (size_t at = 0; at < data.size() && intact; at++)
      intact = data[at] == static_cast<uint8_t>(at * 7 + at / 251 + data[0]);
    std::fprintf(out_, "{\"bytes\":%zu,\"intact\":%s}", data.size(), intact ? "true" : "false");
  }
  template <class Element> void print(std::vector<Element> &values) { list(values); }
  template <class Element, size_t length> void print(std::array<Element, length> &values) { list(values); }
  template <class List> void list(List &values)
  {
    const char *before = "[";
    for (auto &value : values) {
      std::fputs(before, out_);
      before = ",";
      if constexpr (is_structure<std::decay_t<decltype(value)>>) structure(value);
      else print(value);
    }
    std::fputs(values.empty() ? "[]" : "]", out_);
  }
};

/** A type of messages as the peer needs it, whatever its structure is. */
class MessageType : public eprosima::fastdds::dds::TopicDataType {
public:
  /** Fills the message with values that tell the number i. `text` is for the types that have one. */
  virtual void fill(void *message, long i, const std::string &text, size_t size) = 0;
  /** Prints the message as one JSON object without a line end. */
  virtual void print(std::FILE *out, void *message) = 0;
};

template <class Message> class MessageTypeOf final : public MessageType {
  using Payload = eprosima::fastrtps::rtps::SerializedPayload_t;
  using Cdr = eprosima::fastcdr::Cdr;

public:
  MessageTypeOf()
  {
    setName(Message::name);
    m_typeSize = 256;
    auto_fill_type_object(false);
    auto_fill_type_information(false);
  }
  bool serialize(void *data, Payload *payload) override
  {
    eprosima::fastcdr::FastBuffer buffer(reinterpret_cast<char *>(payload->data), payload->max_size);
    Cdr cdr(buffer, Cdr::LITTLE_ENDIANNESS, Cdr::DDS_CDR);
    payload->encapsulation = CDR_LE;
    write(cdr, data);
    payload->length = static_cast<uint32_t>(cdr.getSerializedDataLength());
    return true;
  }
  bool deserialize(Payload *payload, void *data) override
  {
    eprosima::fastcdr::FastBuffer buffer(reinterpret_cast<char *>(payload->data), payload->length);
    Cdr cdr(buffer, Cdr::DEFAULT_ENDIAN, Cdr::DDS_CDR);
    try {
      cdr.read_encapsulation();
      CdrReader reader(cdr);
      static_cast<Message *>(data)->visit(reader);
      return true;
    } catch (const eprosima::fastcdr::exception::Exception &) {
      return false;
    }
  }
  std::function<uint32_t()> getSerializedSizeProvider(void *data) override
  {
    return [this, data] {
      eprosima::fastcdr::FastBuffer buffer;
      Cdr cdr(buffer, Cdr::LITTLE_ENDIANNESS, Cdr::DDS_CDR);
      write(cdr, data);
      return static_cast<uint32_t>(cdr.getSerializedDataLength());
    };
  }
  void *createData() override { return new Message; }
  void deleteData(void *data) override { delete static_cast<Message *>(data); }
  bool getKey(void *, eprosima::fastrtps::rtps::InstanceHandle_t *, bool) override { return false; }
  void fill(void *message, long i, const std::string &text, size_t size) override
  {
    static_cast<Message *>(message)->fill(i, text, size);
  }
  void print(std::FILE *out, void *message) override { JsonPrinter(out).structure(*static_cast<Message *>(message)); }

private:
  static void write(Cdr &cdr, void *data)
  {
    cdr.serialize_encapsulation();
    CdrWriter writer(cdr);
    static_cast<Message *>(data)->visit(writer);
  }
};
