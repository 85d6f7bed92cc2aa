// Whom a server's replies reach.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/DataWriterListener.hpp>

/** The readers that a writer has found. A reply is lost on a client before its reader is one of them. */
class FoundReaders : public eprosima::fastdds::dds::DataWriterListener {
  using Guid = eprosima::fastrtps::rtps::GUID_t;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<Guid> guids_;

  void on_publication_matched(eprosima::fastdds::dds::DataWriter *,
                              const eprosima::fastdds::dds::PublicationMatchedStatus &status) override
  {
    Guid guid;
    eprosima::fastrtps::rtps::iHandle2GUID(guid, status.last_subscription_handle);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (status.current_count_change > 0) guids_.insert(guid);
    else guids_.erase(guid);
    changed_.notify_all();
  }

public:
  /** Waits for a client's reader, as rmw_fastrtps does, but longer; not for a writer, by which others tell who they are. */
  void wait_for(const Guid &guid)
  {
    if (!guid.entityId.is_reader()) return;
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(1), [&] { return guids_.count(guid) > 0; });
  }
};
