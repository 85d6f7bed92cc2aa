/**
 * The services and actions of ROS 2's common packages, and the messages that `@foxglove/rosmsg-msgs-common` lacks, as
 * they are in Jazzy: only the fields and constants, which every implementation must share. Sources: the interface
 * packages of ros2/common_interfaces, ros2/rcl_interfaces, ros2/example_interfaces and ros2/demos (Apache-2.0),
 * ros2/geometry2 and ros/ros_tutorials (BSD-3-Clause).
 */
export const BUNDLED_DEFINITIONS = `
===
SRV: action_msgs/CancelGoal
GoalInfo goal_info
---
int8 ERROR_NONE=0
int8 ERROR_REJECTED=1
int8 ERROR_UNKNOWN_GOAL_ID=2
int8 ERROR_GOAL_TERMINATED=3
int8 return_code
GoalInfo[] goals_canceling
===
ACTION: action_tutorials_interfaces/Fibonacci
int32 order
---
int32[] sequence
---
int32[] partial_sequence
===
SRV: composition_interfaces/ListNodes
---
string[] full_node_names
uint64[] unique_ids
===
SRV: composition_interfaces/LoadNode
string package_name
string plugin_name
string node_name
string node_namespace
uint8 log_level
string[] remap_rules
rcl_interfaces/Parameter[] parameters
rcl_interfaces/Parameter[] extra_arguments
---
bool success
string error_message
string full_node_name
uint64 unique_id
===
SRV: composition_interfaces/UnloadNode
uint64 unique_id
---
bool success
string error_message
===
SRV: diagnostic_msgs/AddDiagnostics
string load_namespace
---
bool success
string message
===
SRV: diagnostic_msgs/SelfTest
---
string id
byte passed
DiagnosticStatus[] status
===
MSG: example_interfaces/Bool
bool data
===
MSG: example_interfaces/Byte
byte data
===
MSG: example_interfaces/ByteMultiArray
MultiArrayLayout layout
byte[] data
===
MSG: example_interfaces/Char
char data
===
MSG: example_interfaces/Empty
===
MSG: example_interfaces/Float32
float32 data
===
MSG: example_interfaces/Float32MultiArray
MultiArrayLayout layout
float32[] data
===
MSG: example_interfaces/Float64
float64 data
===
MSG: example_interfaces/Float64MultiArray
MultiArrayLayout layout
float64[] data
===
MSG: example_interfaces/Int16
int16 data
===
MSG: example_interfaces/Int16MultiArray
MultiArrayLayout layout
int16[] data
===
MSG: example_interfaces/Int32
int32 data
===
MSG: example_interfaces/Int32MultiArray
MultiArrayLayout layout
int32[] data
===
MSG: example_interfaces/Int64
int64 data
===
MSG: example_interfaces/Int64MultiArray
MultiArrayLayout layout
int64[] data
===
MSG: example_interfaces/Int8
int8 data
===
MSG: example_interfaces/Int8MultiArray
MultiArrayLayout layout
int8[] data
===
MSG: example_interfaces/MultiArrayDimension
string label
uint32 size
uint32 stride
===
MSG: example_interfaces/MultiArrayLayout
MultiArrayDimension[] dim
uint32 data_offset
===
MSG: example_interfaces/String
string data
===
MSG: example_interfaces/UInt16
uint16 data
===
MSG: example_interfaces/UInt16MultiArray
MultiArrayLayout layout
uint16[] data
===
MSG: example_interfaces/UInt32
uint32 data
===
MSG: example_interfaces/UInt32MultiArray
MultiArrayLayout layout
uint32[] data
===
MSG: example_interfaces/UInt64
uint64 data
===
MSG: example_interfaces/UInt64MultiArray
MultiArrayLayout layout
uint64[] data
===
MSG: example_interfaces/UInt8
uint8 data
===
MSG: example_interfaces/UInt8MultiArray
MultiArrayLayout layout
uint8[] data
===
MSG: example_interfaces/WString
wstring data
===
SRV: example_interfaces/AddTwoInts
int64 a
int64 b
---
int64 sum
===
SRV: example_interfaces/SetBool
bool data
---
bool success
string message
===
SRV: example_interfaces/Trigger
---
bool success
string message
===
ACTION: example_interfaces/Fibonacci
int32 order
---
int32[] sequence
---
int32[] sequence
===
SRV: lifecycle_msgs/ChangeState
Transition transition
---
bool success
===
SRV: lifecycle_msgs/GetAvailableStates
---
State[] available_states
===
SRV: lifecycle_msgs/GetAvailableTransitions
---
TransitionDescription[] available_transitions
===
SRV: lifecycle_msgs/GetState
---
State current_state
===
SRV: nav_msgs/GetMap
---
OccupancyGrid map
===
SRV: nav_msgs/GetPlan
geometry_msgs/PoseStamped start
geometry_msgs/PoseStamped goal
float32 tolerance
---
Path plan
===
SRV: nav_msgs/LoadMap
string map_url
---
uint8 RESULT_SUCCESS=0
uint8 RESULT_MAP_DOES_NOT_EXIST=1
uint8 RESULT_INVALID_MAP_DATA=2
uint8 RESULT_INVALID_MAP_METADATA=3
uint8 RESULT_UNDEFINED_FAILURE=255
OccupancyGrid map
uint8 result
===
SRV: nav_msgs/SetMap
OccupancyGrid map
geometry_msgs/PoseWithCovarianceStamped initial_pose
---
bool success
===
SRV: rcl_interfaces/DescribeParameters
string[] names
---
ParameterDescriptor[] descriptors
===
SRV: rcl_interfaces/GetLoggerLevels
string[] names
---
LoggerLevel[] levels
===
SRV: rcl_interfaces/GetParameterTypes
string[] names
---
uint8[] types
===
SRV: rcl_interfaces/GetParameters
string[] names
---
ParameterValue[] values
===
SRV: rcl_interfaces/ListParameters
uint64 DEPTH_RECURSIVE=0
string[] prefixes
uint64 depth
---
ListParametersResult result
===
SRV: rcl_interfaces/SetLoggerLevels
LoggerLevel[] levels
---
SetLoggerLevelsResult[] results
===
SRV: rcl_interfaces/SetParameters
Parameter[] parameters
---
SetParametersResult[] results
===
SRV: rcl_interfaces/SetParametersAtomically
Parameter[] parameters
---
SetParametersResult result
===
SRV: sensor_msgs/SetCameraInfo
CameraInfo camera_info
---
bool success
string status_message
===
MSG: service_msgs/ServiceEventInfo
uint8 REQUEST_SENT=0
uint8 REQUEST_RECEIVED=1
uint8 RESPONSE_SENT=2
uint8 RESPONSE_RECEIVED=3
uint8 event_type
builtin_interfaces/Time stamp
char[16] client_gid
int64 sequence_number
===
SRV: std_srvs/Empty
---
===
SRV: std_srvs/SetBool
bool data
---
bool success
string message
===
SRV: std_srvs/Trigger
---
bool success
string message
===
SRV: tf2_msgs/FrameGraph
---
string frame_yaml
===
ACTION: tf2_msgs/LookupTransform
string target_frame
string source_frame
builtin_interfaces/Time source_time
builtin_interfaces/Duration timeout
builtin_interfaces/Time target_time
string fixed_frame
bool advanced
---
geometry_msgs/TransformStamped transform
TF2Error error
---
===
MSG: type_description_interfaces/Field
string name
FieldType type
string default_value
===
MSG: type_description_interfaces/FieldType
uint8 type_id 0
uint64 capacity
uint64 string_capacity
string<=255 nested_type_name
===
MSG: type_description_interfaces/IndividualTypeDescription
string<=255 type_name
Field[] fields
===
MSG: type_description_interfaces/KeyValue
string key
string value
===
MSG: type_description_interfaces/TypeDescription
IndividualTypeDescription type_description
IndividualTypeDescription[] referenced_type_descriptions
===
MSG: type_description_interfaces/TypeSource
string type_name
string encoding
string raw_file_contents
===
SRV: type_description_interfaces/GetTypeDescription
string type_name
string type_hash
bool include_type_sources true
---
bool successful
string failure_reason
TypeDescription type_description
TypeSource[] type_sources
KeyValue[] extra_information
===
SRV: visualization_msgs/GetInteractiveMarkers
---
uint64 sequence_number
InteractiveMarker[] markers
${turtlesim('turtlesim')}${turtlesim('turtlesim_msgs')}`;

/** turtlesim's interfaces, which moved to a package of their own after Jazzy. */
function turtlesim(packageName: string): string {
  return `===
MSG: ${packageName}/Color
uint8 r
uint8 g
uint8 b
===
MSG: ${packageName}/Pose
float32 x
float32 y
float32 theta
float32 linear_velocity
float32 angular_velocity
===
SRV: ${packageName}/Kill
string name
---
===
SRV: ${packageName}/SetPen
uint8 r
uint8 g
uint8 b
uint8 width
uint8 off
---
===
SRV: ${packageName}/Spawn
float32 x
float32 y
float32 theta
string name
---
string name
===
SRV: ${packageName}/TeleportAbsolute
float32 x
float32 y
float32 theta
---
===
SRV: ${packageName}/TeleportRelative
float32 linear
float32 angular
---
===
ACTION: ${packageName}/RotateAbsolute
float32 theta
---
float32 delta
---
float32 remaining
`;
}
