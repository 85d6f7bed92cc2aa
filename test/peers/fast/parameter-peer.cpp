/*
 * A ROS 2 node with parameters on eProsima Fast DDS, or who sets one of them, as rmw_fastrtps_cpp and rclcpp do, with the
 * command line, the output and the exit codes of the one on Cyclone DDS (../dds/parameter-peer.c).
 */
#include "services.hpp"

enum Kind : uint8_t { NOT_SET, BOOL, INTEGER, DOUBLE, STRING };

struct Value {
  uint8_t type = NOT_SET;
  bool bool_value = false;
  int64_t integer_value = 0;
  double double_value = 0;
  std::string string_value;
  /** A boolean is an octet on the wire. */
  std::vector<uint8_t> byte_array_value, bool_array_value;
  std::vector<int64_t> integer_array_value;
  std::vector<double> double_array_value;
  std::vector<std::string> string_array_value;
  template <class Visitor> void visit(Visitor &v)
  {
    v("type", type), v("bool_value", bool_value), v("integer_value", integer_value);
    v("double_value", double_value), v("string_value", string_value);
    v("byte_array_value", byte_array_value), v("bool_array_value", bool_array_value);
    v("integer_array_value", integer_array_value), v("double_array_value", double_array_value);
    v("string_array_value", string_array_value);
  }
};

struct Parameter {
  std::string name;
  Value value;
  template <class Visitor> void visit(Visitor &v) { v("name", name), v("value", value); }
};

struct SetResult {
  bool successful = false;
  std::string reason;
  template <class Visitor> void visit(Visitor &v) { v("successful", successful), v("reason", reason); }
};

struct FloatingPointRange {
  double from_value = 0, to_value = 0, step = 0;
  template <class Visitor> void visit(Visitor &v)
  {
    v("from_value", from_value), v("to_value", to_value), v("step", step);
  }
};

struct IntegerRange {
  int64_t from_value = 0, to_value = 0, step = 0;
  template <class Visitor> void visit(Visitor &v)
  {
    v("from_value", from_value), v("to_value", to_value), v("step", step);
  }
};

struct Descriptor {
  std::string name;
  uint8_t type = NOT_SET;
  std::string description, additional_constraints;
  bool read_only = false, dynamic_typing = false;
  std::vector<FloatingPointRange> floating_point_range;
  std::vector<IntegerRange> integer_range;
  template <class Visitor> void visit(Visitor &v)
  {
    v("name", name), v("type", type), v("description", description);
    v("additional_constraints", additional_constraints), v("read_only", read_only);
    v("dynamic_typing", dynamic_typing), v("floating_point_range", floating_point_range);
    v("integer_range", integer_range);
  }
};

struct Event : Unnumbered {
  static constexpr const char *name = "rcl_interfaces::msg::dds_::ParameterEvent_";
  Time stamp;
  std::string node;
  std::vector<Parameter> new_parameters, changed_parameters, deleted_parameters;
  template <class Visitor> void visit(Visitor &v)
  {
    v("stamp", stamp), v("node", node), v("new_parameters", new_parameters);
    v("changed_parameters", changed_parameters), v("deleted_parameters", deleted_parameters);
  }
};

struct Names : Unnumbered {
  std::vector<std::string> names;
  template <class Visitor> void visit(Visitor &v) { v("names", names); }
};

struct Parameters : Unnumbered {
  std::vector<Parameter> parameters;
  template <class Visitor> void visit(Visitor &v) { v("parameters", parameters); }
};

struct ListParameters {
  static constexpr const char *name = "list_parameters";
  struct Request : Unnumbered {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::ListParameters_Request_";
    std::vector<std::string> prefixes;
    int64_t depth = 0;
    template <class Visitor> void visit(Visitor &v) { v("prefixes", prefixes), v("depth", depth); }
  };
  struct Response : Unnumbered {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::ListParameters_Response_";
    std::vector<std::string> names, prefixes;
    template <class Visitor> void visit(Visitor &v) { v("names", names), v("prefixes", prefixes); }
  };
};

struct GetParameters {
  static constexpr const char *name = "get_parameters";
  struct Request : Names {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::GetParameters_Request_";
  };
  struct Response : Unnumbered {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::GetParameters_Response_";
    std::vector<Value> values;
    template <class Visitor> void visit(Visitor &v) { v("values", values); }
  };
};

struct GetParameterTypes {
  static constexpr const char *name = "get_parameter_types";
  struct Request : Names {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::GetParameterTypes_Request_";
  };
  struct Response : Unnumbered {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::GetParameterTypes_Response_";
    std::vector<uint8_t> types;
    template <class Visitor> void visit(Visitor &v) { v("types", types); }
  };
};

struct DescribeParameters {
  static constexpr const char *name = "describe_parameters";
  struct Request : Names {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::DescribeParameters_Request_";
  };
  struct Response : Unnumbered {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::DescribeParameters_Response_";
    std::vector<Descriptor> descriptors;
    template <class Visitor> void visit(Visitor &v) { v("descriptors", descriptors); }
  };
};

struct SetParameters {
  static constexpr const char *name = "set_parameters";
  struct Request : Parameters {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::SetParameters_Request_";
  };
  struct Response : Unnumbered {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::SetParameters_Response_";
    std::vector<SetResult> results;
    template <class Visitor> void visit(Visitor &v) { v("results", results); }
  };
};

struct SetParametersAtomically {
  static constexpr const char *name = "set_parameters_atomically";
  struct Request : Parameters {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::SetParametersAtomically_Request_";
  };
  struct Response : Unnumbered {
    static constexpr const char *name = "rcl_interfaces::srv::dds_::SetParametersAtomically_Response_";
    SetResult result;
    template <class Visitor> void visit(Visitor &v) { v("result", result); }
  };
};

static Value value_of(Kind type)
{
  Value value;
  value.type = type;
  return value;
}

static std::vector<Parameter> declared()
{
  std::vector<Parameter> all{
    {"depth", value_of(INTEGER)}, {"rate", value_of(DOUBLE)}, {"frame_id", value_of(STRING)}, {"enabled", value_of(BOOL)}};
  all[0].value.integer_value = 4;
  all[1].value.double_value = 30;
  all[2].value.string_value = "camera";
  all[3].value.bool_value = true;
  return all;
}

/** The node's parameters, each change of which it tells. */
class Store {
  std::vector<Parameter> all_ = declared();
  std::string node_;
  DataWriter *events_;

public:
  Store(const std::string &node, DataWriter *events) : node_(node), events_(events) {}
  std::vector<Parameter> &all() { return all_; }
  Parameter *find(const std::string &name)
  {
    for (Parameter &parameter : all_)
      if (parameter.name == name) return &parameter;
    return nullptr;
  }
  const char *fault(const Parameter &wanted)
  {
    const Parameter *known = find(wanted.name);
    if (known == nullptr) return "it has not been declared";
    return known->value.type == wanted.value.type ? "" : "wrong parameter type";
  }
  void take_over(const std::vector<Parameter> &changed)
  {
    for (const Parameter &each : changed) {
      find(each.name)->value = each.value;
      std::printf("{\"changed\":\"%s\"}\n", each.name.c_str());
    }
    Event event;
    event.node = node_;
    event.changed_parameters = changed;
    events_->write(&event);
  }
  /** What `each` says of each; nothing at all, as of rclcpp, where one of the names is not declared. */
  template <class Answer, class Each> std::vector<Answer> answers(const std::vector<std::string> &names, Each each)
  {
    std::vector<Answer> answers;
    for (const std::string &name : names) {
      const Parameter *known = find(name);
      if (known == nullptr) return {};
      answers.push_back(each(*known));
    }
    return answers;
  }
};

/** Answers all that has come. */
template <class Service, class Answer> static void serve(Server<Service> &server, Answer answer)
{
  SampleIdentity asker;
  for (typename Service::Request request; server.take(request, asker);) {
    typename Service::Response response;
    answer(request, response);
    server.reply(asker, response);
  }
}

static int serve(const Place &place, const std::string &node)
{
  Store store(node, place.writer<Event>("rt/parameter_events", VOLATILE_DURABILITY_QOS, 1000));
  Server<SetParameters> set(place);
  Server<SetParametersAtomically> set_atomically(place);
  Server<ListParameters> list(place);
  Server<GetParameters> get(place);
  Server<GetParameterTypes> get_types(place);
  Server<DescribeParameters> describe(place);
  std::fputs("{\"ready\":true}\n", stderr);
  for (; !stopped; nap()) {
    serve(list, [&](auto &, auto &response) {
      for (const Parameter &each : store.all()) response.names.push_back(each.name);
    });
    serve(get, [&](auto &request, auto &response) {
      response.values = store.answers<Value>(request.names, [](auto &known) { return known.value; });
    });
    serve(get_types, [&](auto &request, auto &response) {
      response.types = store.answers<uint8_t>(request.names, [](auto &known) { return known.value.type; });
    });
    serve(describe, [&](auto &request, auto &response) {
      response.descriptors = store.answers<Descriptor>(request.names, [](auto &known) {
        Descriptor descriptor;
        descriptor.name = known.name;
        descriptor.type = known.value.type;
        return descriptor;
      });
    });
    serve(set, [&](auto &request, auto &response) {
      for (const Parameter &wanted : request.parameters) {
        const std::string fault = store.fault(wanted);
        response.results.push_back({fault.empty(), fault});
        if (fault.empty()) store.take_over({wanted});
      }
    });
    serve(set_atomically, [&](auto &request, auto &response) {
      for (const Parameter &wanted : request.parameters)
        if (response.result.reason.empty()) response.result.reason = store.fault(wanted);
      response.result.successful = response.result.reason.empty();
      if (response.result.successful) store.take_over(request.parameters);
    });
  }
  return 0;
}

static int call(const Place &place, const std::string &name, int64_t value, double timeout)
{
  Client<SetParameters> set(place);
  std::fputs("{\"ready\":true}\n", stderr);
  Parameter wanted{name, value_of(INTEGER)};
  wanted.value.integer_value = value;
  SetParameters::Request request;
  request.parameters.push_back(wanted);
  bool sent = false;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout);
  for (; !stopped && std::chrono::steady_clock::now() < end; nap()) {
    if (!sent && set.matched()) set.call(request), sent = true;
    SetParameters::Response response;
    if (!set.take(response)) continue;
    if (response.results.size() != 1) return 1;
    const SetResult &result = response.results[0];
    std::printf("{\"successful\":%s,\"reason\":\"%s\"}\n", result.successful ? "true" : "false", result.reason.c_str());
    return 0;
  }
  return 3;
}

int main(int argc, char **argv)
{
  const Options options(argc, argv);
  const std::string node = options.text("--node", "/robot1/camera");
  return play(
    options, node + "/", [&](const Place &place) { return serve(place, node); },
    [&](const Place &place) {
      return call(place, options.text("--name", "depth"), static_cast<int64_t>(options.number("--value", 0)),
                  options.number("--timeout", 10));
    });
}
