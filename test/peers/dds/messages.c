#include "messages.h"
#include <string.h>
#include "ros_types.h"

static void print_string(FILE *out, const char *s)
{
  fputc('"', out);
  for (; *s; s++) {
    if (*s == '"' || *s == '\\') fprintf(out, "\\%c", *s);
    else if ((unsigned char)*s < 0x20) fprintf(out, "\\u%04x", *s);
    else fputc(*s, out);
  }
  fputc('"', out);
}

static void print_vector(FILE *out, double x, double y, double z)
{
  fprintf(out, "{\"x\":%.17g,\"y\":%.17g,\"z\":%.17g}", x, y, z);
}

static void print_quaternion(FILE *out, const geometry_msgs_msg_dds__Quaternion_ *q)
{
  fprintf(out, "{\"x\":%.17g,\"y\":%.17g,\"z\":%.17g,\"w\":%.17g}", q->x_, q->y_, q->z_, q->w_);
}

static void print_header(FILE *out, const std_msgs_msg_dds__Header_ *h)
{
  fprintf(out, "{\"stamp\":{\"sec\":%d,\"nanosec\":%u},\"frame_id\":", h->stamp_.sec_, h->stamp_.nanosec_);
  print_string(out, h->frame_id_);
  fputc('}', out);
}

static void print_array9(FILE *out, const double *values)
{
  for (int i = 0; i < 9; i++) fprintf(out, "%c%.17g", i == 0 ? '[' : ',', values[i]);
  fputc(']', out);
}

static void fill_header(std_msgs_msg_dds__Header_ *h, long i, char *frame)
{
  h->stamp_.sec_ = (int32_t)i;
  h->stamp_.nanosec_ = 500000000u;
  h->frame_id_ = frame;
}

static void fill_string(void *message, long i, char *text, unsigned char *data, size_t size)
{
  (void)data, (void)size;
  (void)i;
  ((std_msgs_msg_dds__String_ *)message)->data_ = text;
}

static void print_string_message(FILE *out, const void *message)
{
  fputs("{\"data\":", out);
  print_string(out, ((const std_msgs_msg_dds__String_ *)message)->data_);
  fputc('}', out);
}

static void fill_float64(void *message, long i, char *text, unsigned char *data, size_t size)
{
  (void)data, (void)size;
  (void)text;
  ((std_msgs_msg_dds__Float64_ *)message)->data_ = (double)i + 0.5;
}

static void print_float64(FILE *out, const void *message)
{
  fprintf(out, "{\"data\":%.17g}", ((const std_msgs_msg_dds__Float64_ *)message)->data_);
}

static void fill_twist(void *message, long i, char *text, unsigned char *data, size_t size)
{
  (void)data, (void)size;
  (void)text;
  geometry_msgs_msg_dds__Twist_ *m = message;
  m->linear_.x_ = (double)i;
  m->angular_.z_ = (double)-i / 4;
}

static void print_twist(FILE *out, const void *message)
{
  const geometry_msgs_msg_dds__Twist_ *m = message;
  fputs("{\"linear\":", out);
  print_vector(out, m->linear_.x_, m->linear_.y_, m->linear_.z_);
  fputs(",\"angular\":", out);
  print_vector(out, m->angular_.x_, m->angular_.y_, m->angular_.z_);
  fputc('}', out);
}

static void fill_pose(void *message, long i, char *text, unsigned char *data, size_t size)
{
  (void)data, (void)size;
  geometry_msgs_msg_dds__PoseStamped_ *m = message;
  fill_header(&m->header_, i, text);
  m->pose_.position_.x_ = (double)i;
  m->pose_.position_.y_ = (double)i * 2;
  m->pose_.position_.z_ = (double)i / 8;
  m->pose_.orientation_.w_ = 1;
}

static void print_pose(FILE *out, const void *message)
{
  const geometry_msgs_msg_dds__PoseStamped_ *m = message;
  fputs("{\"header\":", out);
  print_header(out, &m->header_);
  fputs(",\"pose\":{\"position\":", out);
  print_vector(out, m->pose_.position_.x_, m->pose_.position_.y_, m->pose_.position_.z_);
  fputs(",\"orientation\":", out);
  print_quaternion(out, &m->pose_.orientation_);
  fputs("}}", out);
}

static void fill_imu(void *message, long i, char *text, unsigned char *data, size_t size)
{
  (void)data, (void)size;
  sensor_msgs_msg_dds__Imu_ *m = message;
  fill_header(&m->header_, i, text);
  m->orientation_.w_ = 1;
  m->orientation_covariance_[0] = -1;
  m->angular_velocity_.z_ = (double)i / 16;
  m->angular_velocity_covariance_[4] = 0.25;
  m->linear_acceleration_.z_ = 9.8125;
  m->linear_acceleration_covariance_[8] = 0.125;
}

static void print_imu(FILE *out, const void *message)
{
  const sensor_msgs_msg_dds__Imu_ *m = message;
  fputs("{\"header\":", out);
  print_header(out, &m->header_);
  fputs(",\"orientation\":", out);
  print_quaternion(out, &m->orientation_);
  fputs(",\"orientation_covariance\":", out);
  print_array9(out, m->orientation_covariance_);
  fputs(",\"angular_velocity\":", out);
  print_vector(out, m->angular_velocity_.x_, m->angular_velocity_.y_, m->angular_velocity_.z_);
  fputs(",\"angular_velocity_covariance\":", out);
  print_array9(out, m->angular_velocity_covariance_);
  fputs(",\"linear_acceleration\":", out);
  print_vector(out, m->linear_acceleration_.x_, m->linear_acceleration_.y_, m->linear_acceleration_.z_);
  fputs(",\"linear_acceleration_covariance\":", out);
  print_array9(out, m->linear_acceleration_covariance_);
  fputc('}', out);
}

/* One row of `size` octets, of which the first tells the image's number and each depends on its place and the first. */
static void fill_image(void *message, long i, char *text, unsigned char *data, size_t size)
{
  sensor_msgs_msg_dds__Image_ *m = message;
  fill_header(&m->header_, i, text);
  m->height_ = 1;
  m->width_ = m->step_ = (uint32_t)size;
  m->encoding_ = "mono8";
  for (size_t at = 0; at < size; at++) data[at] = (unsigned char)(at * 7 + at / 251 + (size_t)i);
  m->data_._buffer = data;
  m->data_._length = m->data_._maximum = (uint32_t)size;
}

/* Tells of the data whether they are as fill_image makes them, not what they are. */
static void print_image(FILE *out, const void *message)
{
  const sensor_msgs_msg_dds__Image_ *m = message;
  int intact = 1;
  for (size_t at = 0; at < m->data_._length && intact; at++)
    intact = m->data_._buffer[at] == (unsigned char)(at * 7 + at / 251 + m->data_._buffer[0]);
  fputs("{\"header\":", out);
  print_header(out, &m->header_);
  fprintf(out, ",\"data\":{\"bytes\":%u,\"intact\":%s}}", m->data_._length, intact ? "true" : "false");
}

static void fill_status(void *message, long i, char *text, unsigned char *data, size_t size)
{
  static diagnostic_msgs_msg_dds__KeyValue_ values[] = {{"a", "1"}, {"", "two"}};
  diagnostic_msgs_msg_dds__DiagnosticStatus_ *m = message;
  (void)data, (void)size;
  m->level_ = (uint8_t)i;
  m->name_ = text;
  m->message_ = "";
  m->hardware_id_ = "id";
  m->values_._buffer = values;
  m->values_._length = m->values_._maximum = 2;
}

static void print_status(FILE *out, const void *message)
{
  const diagnostic_msgs_msg_dds__DiagnosticStatus_ *m = message;
  fprintf(out, "{\"level\":%u,\"name\":", m->level_);
  print_string(out, m->name_);
  fputs(",\"message\":", out);
  print_string(out, m->message_);
  fputs(",\"hardware_id\":", out);
  print_string(out, m->hardware_id_);
  fputs(",\"values\":[", out);
  for (uint32_t i = 0; i < m->values_._length; i++) {
    fputs(i ? ",{\"key\":" : "{\"key\":", out);
    print_string(out, m->values_._buffer[i].key_);
    fputs(",\"value\":", out);
    print_string(out, m->values_._buffer[i].value_);
    fputc('}', out);
  }
  fputs("]}", out);
}

static void fill_graph(void *message, long i, char *text, unsigned char *data, size_t size)
{
  (void)message, (void)i, (void)text, (void)data, (void)size;
}

static void print_gid(FILE *out, const rmw_dds_common_msg_dds__Gid_ *gid)
{
  fputc('"', out);
  for (int i = 0; i < 16; i++) fprintf(out, "%02x", gid->data_[i]);
  fputc('"', out);
}

static void print_gids(FILE *out, const rmw_dds_common_msg_dds__Gid_ *gids, uint32_t count)
{
  fputc('[', out);
  for (uint32_t i = 0; i < count; i++) {
    if (i) fputc(',', out);
    print_gid(out, &gids[i]);
  }
  fputc(']', out);
}

static void print_graph(FILE *out, const void *message)
{
  const rmw_dds_common_msg_dds__ParticipantEntitiesInfo_ *m = message;
  fputs("{\"gid\":", out);
  print_gid(out, &m->gid_);
  fputs(",\"nodes\":[", out);
  for (uint32_t i = 0; i < m->node_entities_info_seq_._length; i++) {
    const rmw_dds_common_msg_dds__NodeEntitiesInfo_ *node = &m->node_entities_info_seq_._buffer[i];
    fputs(i ? ",{\"namespace\":" : "{\"namespace\":", out);
    print_string(out, node->node_namespace_);
    fputs(",\"name\":", out);
    print_string(out, node->node_name_);
    fputs(",\"readers\":", out);
    print_gids(out, node->reader_gid_seq_._buffer, node->reader_gid_seq_._length);
    fputs(",\"writers\":", out);
    print_gids(out, node->writer_gid_seq_._buffer, node->writer_gid_seq_._length);
    fputc('}', out);
  }
  fputs("]}", out);
}

static const struct message_type types[] = {
  {"string", &std_msgs_msg_dds__String__desc, sizeof(std_msgs_msg_dds__String_), 0, fill_string, print_string_message},
  {"float64", &std_msgs_msg_dds__Float64__desc, sizeof(std_msgs_msg_dds__Float64_), 0, fill_float64, print_float64},
  {"twist", &geometry_msgs_msg_dds__Twist__desc, sizeof(geometry_msgs_msg_dds__Twist_), 0, fill_twist, print_twist},
  {"pose", &geometry_msgs_msg_dds__PoseStamped__desc, sizeof(geometry_msgs_msg_dds__PoseStamped_), 0, fill_pose, print_pose},
  {"imu", &sensor_msgs_msg_dds__Imu__desc, sizeof(sensor_msgs_msg_dds__Imu_), 0, fill_imu, print_imu},
  {"image", &sensor_msgs_msg_dds__Image__desc, sizeof(sensor_msgs_msg_dds__Image_), 1, fill_image, print_image},
  {"status", &diagnostic_msgs_msg_dds__DiagnosticStatus__desc, sizeof(diagnostic_msgs_msg_dds__DiagnosticStatus_), 0, fill_status, print_status},
  {"graph", &rmw_dds_common_msg_dds__ParticipantEntitiesInfo__desc, sizeof(rmw_dds_common_msg_dds__ParticipantEntitiesInfo_), 0, fill_graph, print_graph},
};

const struct message_type *find_message_type(const char *name)
{
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (!strcmp(types[i].name, name)) return &types[i];
  return NULL;
}
