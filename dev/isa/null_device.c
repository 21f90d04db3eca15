/*
 * A Vulkan layer that makes Mesa's RADV on null hardware enough of a device for WebGPU to open: RADV
 * compiles, and whatever would need a card is answered here. Memory is the host's, submitted work is done at
 * once, and commands are dropped, so buffers stay as they are.
 *
 * For each compute pipeline the layer overwrites two files in $ISA_DIR: `code`, the disassembly, and
 * `statistics`, a JSON object of what the driver says of it, with the lanes of its waves as "wave".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#define MOST_STATISTICS 64
#define MOST_TEXTS 16
#define HEAP_BYTES (1ull << 36)

static PFN_vkGetInstanceProcAddr instance_next;
static PFN_vkGetDeviceProcAddr device_next;
/* What timeline semaphores have counted to: all work is done once it is submitted, so one number serves. */
static uint64_t timeline;

/* ---- Instance and device ---- */

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(
    const VkInstanceCreateInfo *info, const VkAllocationCallbacks *callbacks, VkInstance *instance) {
  const VkLayerInstanceCreateInfo *link = info->pNext;
  while (link->sType != VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO)
    link = link->pNext;
  VkLayerInstanceLink *here = link->u.pLayerInfo;
  instance_next = here->pfnNextGetInstanceProcAddr;
  /* The next layer reads its own link from the same place. */
  ((VkLayerInstanceCreateInfo *)link)->u.pLayerInfo = here->pNext;
  PFN_vkCreateInstance create = (PFN_vkCreateInstance)instance_next(NULL, "vkCreateInstance");
  return create(info, callbacks, instance);
}

/* Asks for what tells of compiled pipelines, which WebGPU does not. */
static VKAPI_ATTR VkResult VKAPI_CALL create_device(
    VkPhysicalDevice card, const VkDeviceCreateInfo *info, const VkAllocationCallbacks *callbacks, VkDevice *device) {
  const VkLayerDeviceCreateInfo *link = info->pNext;
  while (link->sType != VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO)
    link = link->pNext;
  VkLayerDeviceLink *here = link->u.pLayerInfo;
  device_next = here->pfnNextGetDeviceProcAddr;
  ((VkLayerDeviceCreateInfo *)link)->u.pLayerInfo = here->pNext;

  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executables = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
      .pNext = (void *)info->pNext,
      .pipelineExecutableInfo = VK_TRUE,
  };
  uint32_t count = info->enabledExtensionCount;
  const char **extensions = calloc(count + 1, sizeof(char *));
  if (!extensions) return VK_ERROR_OUT_OF_HOST_MEMORY;
  for (uint32_t i = 0; i < count; i++) extensions[i] = info->ppEnabledExtensionNames[i];
  extensions[count] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
  VkDeviceCreateInfo wanted = *info;
  wanted.pNext = &executables;
  wanted.enabledExtensionCount = count + 1;
  wanted.ppEnabledExtensionNames = extensions;
  PFN_vkCreateDevice create = (PFN_vkCreateDevice)here->pfnNextGetInstanceProcAddr(NULL, "vkCreateDevice");
  VkResult result = create(card, &wanted, callbacks, device);
  free(extensions);
  return result;
}

/* ---- Memory of the host in the place of the card's, which has none ---- */

static VKAPI_ATTR void VKAPI_CALL memory_properties(VkPhysicalDevice card, VkPhysicalDeviceMemoryProperties *out) {
  VkMemoryPropertyFlags all = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                              VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  memset(out, 0, sizeof *out);
  out->memoryHeapCount = out->memoryTypeCount = 1;
  out->memoryHeaps[0] = (VkMemoryHeap){HEAP_BYTES, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
  out->memoryTypes[0] = (VkMemoryType){all, 0};
}

static VKAPI_ATTR void VKAPI_CALL memory_properties2(VkPhysicalDevice card, VkPhysicalDeviceMemoryProperties2 *out) {
  memory_properties(card, &out->memoryProperties);
  for (VkBaseOutStructure *extra = out->pNext; extra; extra = extra->pNext) {
    if (extra->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) continue;
    ((VkPhysicalDeviceMemoryBudgetPropertiesEXT *)extra)->heapBudget[0] = HEAP_BYTES;
  }
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate_memory(
    VkDevice device, const VkMemoryAllocateInfo *info, const VkAllocationCallbacks *callbacks, void **memory) {
  *memory = calloc(1, info->allocationSize);
  return *memory ? VK_SUCCESS : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static VKAPI_ATTR void VKAPI_CALL free_memory(VkDevice device, void *memory, const VkAllocationCallbacks *callbacks) {
  free(memory);
}

static VKAPI_ATTR VkResult VKAPI_CALL map_memory(
    VkDevice device, char *memory, VkDeviceSize offset, VkDeviceSize size, VkMemoryMapFlags flags, void **mapped) {
  *mapped = memory + offset;
  return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL buffer_needs(VkDevice device, VkBuffer buffer, VkMemoryRequirements *needs) {
  ((PFN_vkGetBufferMemoryRequirements)device_next(device, "vkGetBufferMemoryRequirements"))(device, buffer, needs);
  needs->memoryTypeBits = 1;
}

/* ---- Queues that are never busy ---- */

static VKAPI_ATTR VkResult VKAPI_CALL create_token(
    VkDevice device, const void *info, const VkAllocationCallbacks *callbacks, void **token) {
  *token = malloc(1);
  return *token ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

static VKAPI_ATTR VkResult VKAPI_CALL submit(VkQueue queue, uint32_t count, const VkSubmitInfo *batches, VkFence fence) {
  for (uint32_t i = 0; i < count; i++) {
    for (const VkBaseInStructure *extra = batches[i].pNext; extra; extra = extra->pNext) {
      if (extra->sType != VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO) continue;
      const VkTimelineSemaphoreSubmitInfo *values = (const void *)extra;
      for (uint32_t j = 0; j < values->signalSemaphoreValueCount; j++)
        if (values->pSignalSemaphoreValues[j] > timeline) timeline = values->pSignalSemaphoreValues[j];
    }
  }
  return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL counter_value(VkDevice device, void *semaphore, uint64_t *value) {
  *value = timeline;
  return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL success(void) { return VK_SUCCESS; }
static VKAPI_ATTR void VKAPI_CALL nothing(void) {}

/* ---- What is compiled ---- */

static FILE *open_output(const char *name) {
  char path[4096];
  const char *folder = getenv("ISA_DIR");
  snprintf(path, sizeof path, "%s/%s", folder ? folder : ".", name);
  FILE *file = fopen(path, "w");
  if (!file) perror(path);
  return file;
}

static void write_statistics(VkDevice device, VkPipeline pipeline) {
  FILE *file = open_output("statistics");
  if (!file) return;
  VkPipelineInfoKHR which = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline};
  VkPipelineExecutablePropertiesKHR properties = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR};
  uint32_t count = 1;
  ((PFN_vkGetPipelineExecutablePropertiesKHR)device_next(device, "vkGetPipelineExecutablePropertiesKHR"))(
      device, &which, &count, &properties);
  fprintf(file, "{\"wave\": %u", properties.subgroupSize);

  VkPipelineExecutableInfoKHR first = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline};
  VkPipelineExecutableStatisticKHR statistics[MOST_STATISTICS];
  memset(statistics, 0, sizeof statistics);
  for (int i = 0; i < MOST_STATISTICS; i++)
    statistics[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
  count = MOST_STATISTICS;
  ((PFN_vkGetPipelineExecutableStatisticsKHR)device_next(device, "vkGetPipelineExecutableStatisticsKHR"))(
      device, &first, &count, statistics);
  for (uint32_t i = 0; i < count; i++)
    if (statistics[i].format == VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR)
      fprintf(file, ", \"%s\": %llu", statistics[i].name, (unsigned long long)statistics[i].value.u64);
  fputs("}\n", file);
  fclose(file);
}

static void write_code(VkDevice device, VkPipeline pipeline) {
  FILE *file = open_output("code");
  if (!file) return;
  PFN_vkGetPipelineExecutableInternalRepresentationsKHR get =
      (PFN_vkGetPipelineExecutableInternalRepresentationsKHR)device_next(
          device, "vkGetPipelineExecutableInternalRepresentationsKHR");
  VkPipelineExecutableInfoKHR first = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline};
  VkPipelineExecutableInternalRepresentationKHR texts[MOST_TEXTS];
  memset(texts, 0, sizeof texts);
  for (int i = 0; i < MOST_TEXTS; i++)
    texts[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
  uint32_t count = MOST_TEXTS;
  get(device, &first, &count, texts); /* Sizes alone, as there is nowhere to put texts yet. */
  for (uint32_t i = 0; i < count; i++) texts[i].pData = calloc(1, texts[i].dataSize + 1);
  get(device, &first, &count, texts);
  for (uint32_t i = 0; i < count; i++) {
    if (strcmp(texts[i].name, "Assembly") == 0) fputs(texts[i].pData, file);
    free(texts[i].pData);
  }
  fclose(file);
}

/* Without the cache, as a pipeline that comes out of one has no text. */
static VKAPI_ATTR VkResult VKAPI_CALL create_pipelines(
    VkDevice device, VkPipelineCache cache, uint32_t count, const VkComputePipelineCreateInfo *infos,
    const VkAllocationCallbacks *callbacks, VkPipeline *pipelines) {
  PFN_vkCreateComputePipelines create = (PFN_vkCreateComputePipelines)device_next(device, "vkCreateComputePipelines");
  for (uint32_t i = 0; i < count; i++) {
    VkComputePipelineCreateInfo info = infos[i];
    info.flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
    info.flags |= VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
    VkResult result = create(device, VK_NULL_HANDLE, 1, &info, callbacks, &pipelines[i]);
    if (result != VK_SUCCESS) return result;
    write_statistics(device, pipelines[i]);
    write_code(device, pipelines[i]);
  }
  return VK_SUCCESS;
}

/* ---- Which functions are the layer's ---- */

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_function(VkInstance instance, const char *name);
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_function(VkDevice device, const char *name);

static const struct {
  const char *name;
  void *function;
} OWN[] = {
    {"vkGetInstanceProcAddr", instance_function},
    {"vkGetDeviceProcAddr", device_function},
    {"vkCreateInstance", create_instance},
    {"vkCreateDevice", create_device},
    {"vkGetPhysicalDeviceMemoryProperties", memory_properties},
    {"vkGetPhysicalDeviceMemoryProperties2", memory_properties2},
    {"vkAllocateMemory", allocate_memory},
    {"vkFreeMemory", free_memory},
    {"vkMapMemory", map_memory},
    {"vkUnmapMemory", nothing},
    {"vkFlushMappedMemoryRanges", success},
    {"vkInvalidateMappedMemoryRanges", success},
    {"vkGetBufferMemoryRequirements", buffer_needs},
    {"vkBindBufferMemory", success},
    {"vkUpdateDescriptorSets", nothing},
    {"vkCreateFence", create_token},
    {"vkDestroyFence", free_memory},
    {"vkResetFences", success},
    {"vkGetFenceStatus", success},
    {"vkWaitForFences", success},
    {"vkCreateSemaphore", create_token},
    {"vkDestroySemaphore", free_memory},
    {"vkWaitSemaphores", success},
    {"vkGetSemaphoreCounterValue", counter_value},
    {"vkQueueSubmit", submit},
    {"vkQueueWaitIdle", success},
    {"vkDeviceWaitIdle", success},
    {"vkBeginCommandBuffer", success},
    {"vkEndCommandBuffer", success},
    {"vkResetCommandBuffer", success},
    {"vkResetCommandPool", success},
    {"vkCreateComputePipelines", create_pipelines},
};

static PFN_vkVoidFunction own(const char *name) {
  if (strncmp(name, "vkCmd", 5) == 0) return (PFN_vkVoidFunction)nothing;
  size_t length = strlen(name);
  if (length > 3 && strcmp(name + length - 3, "KHR") == 0) length -= 3; /* as it was called before Vulkan 1.1 */
  for (size_t i = 0; i < sizeof OWN / sizeof *OWN; i++)
    if (strlen(OWN[i].name) == length && strncmp(OWN[i].name, name, length) == 0)
      return (PFN_vkVoidFunction)OWN[i].function;
  return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_function(VkDevice device, const char *name) {
  PFN_vkVoidFunction found = own(name);
  return found ? found : device_next(device, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_function(VkInstance instance, const char *name) {
  PFN_vkVoidFunction found = own(name);
  if (found) return found;
  return instance_next ? instance_next(instance, name) : NULL;
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
  interface->loaderLayerInterfaceVersion = 2;
  interface->pfnGetInstanceProcAddr = instance_function;
  interface->pfnGetDeviceProcAddr = device_function;
  interface->pfnGetPhysicalDeviceProcAddr = NULL;
  return VK_SUCCESS;
}
