// SPDX-License-Identifier: Apache-2.0
#include "services/http/openapi.hpp"

namespace millrace::http {

std::string_view openapi_text() noexcept {
  return R"json({
 "openapi": "3.1.0",
 "info": {"title": "Millrace storage", "version": "1", "description": "Window results and alerts of one pipeline."},
 "security": [{}, {"bearer": []}],
 "paths": {
  "/v1/windows/{name}": {
   "get": {
    "summary": "Results of a window, the highest version of each",
    "parameters": [
     {
      "name": "name",
      "in": "path",
      "required": true,
      "description": "window of the pipeline",
      "schema": {"type": "string"}
     },
     {
      "name": "key",
      "in": "query",
      "required": false,
      "style": "deepObject",
      "description": "written key.FIELD=VALUE, for any field of the window's key; the value matches the string, and the number or boolean it looks like",
      "schema": {"type": "object", "additionalProperties": {"type": "string"}}
     },
     {"$ref": "#/components/parameters/from"},
     {"$ref": "#/components/parameters/to"},
     {"$ref": "#/components/parameters/limit"},
     {"$ref": "#/components/parameters/order"},
     {"$ref": "#/components/parameters/cursor"}
    ],
    "responses": {
     "200": {
      "description": "a page",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": ["items", "next"],
         "properties": {
          "items": {"type": "array", "items": {"$ref": "#/components/schemas/window"}},
          "next": {"type": ["string", "null"], "description": "cursor of the next page"}
         }
        }
       }
      }
     },
     "400": {
      "description": "bad parameter",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "401": {
      "description": "token missing or wrong",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "404": {
      "description": "no such thing",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "503": {
      "description": "the database is busy; try again",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     }
    }
   }
  },
  "/v1/windows/{name}/latest": {
   "get": {
    "summary": "The newest result of one key, or of every key",
    "parameters": [
     {
      "name": "name",
      "in": "path",
      "required": true,
      "description": "window of the pipeline",
      "schema": {"type": "string"}
     },
     {
      "name": "key",
      "in": "query",
      "required": false,
      "style": "deepObject",
      "description": "written key.FIELD=VALUE, for any field of the window's key; the value matches the string, and the number or boolean it looks like",
      "schema": {"type": "object", "additionalProperties": {"type": "string"}}
     },
     {"$ref": "#/components/parameters/limit"},
     {"$ref": "#/components/parameters/cursor"}
    ],
    "responses": {
     "200": {
      "description": "with a key one record, without a page",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {
       "application/json": {
        "schema": {
         "oneOf": [
          {"$ref": "#/components/schemas/window"},
          {
           "type": "object",
           "required": ["items", "next"],
           "properties": {
            "items": {"type": "array", "items": {"$ref": "#/components/schemas/window"}},
            "next": {"type": ["string", "null"], "description": "cursor of the next page"}
           }
          }
         ]
        }
       }
      }
     },
     "400": {
      "description": "bad parameter",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "401": {
      "description": "token missing or wrong",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "404": {
      "description": "no such thing",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "503": {
      "description": "the database is busy; try again",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     }
    }
   }
  },
  "/v1/alerts": {
   "get": {
    "summary": "Alert transitions",
    "parameters": [
     {
      "name": "state",
      "in": "query",
      "required": false,
      "description": "only this state",
      "schema": {"type": "string", "enum": ["pending", "firing", "resolved"]}
     },
     {
      "name": "rule",
      "in": "query",
      "required": false,
      "description": "only this rule",
      "schema": {"type": "string"}
     },
     {"$ref": "#/components/parameters/from"},
     {"$ref": "#/components/parameters/to"},
     {"$ref": "#/components/parameters/limit"},
     {"$ref": "#/components/parameters/order"},
     {"$ref": "#/components/parameters/cursor"}
    ],
    "responses": {
     "200": {
      "description": "a page",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": ["items", "next"],
         "properties": {
          "items": {"type": "array", "items": {"$ref": "#/components/schemas/alert"}},
          "next": {"type": ["string", "null"], "description": "cursor of the next page"}
         }
        }
       }
      }
     },
     "400": {
      "description": "bad parameter",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "401": {
      "description": "token missing or wrong",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "404": {
      "description": "no such thing",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "503": {
      "description": "the database is busy; try again",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     }
    }
   }
  },
  "/v1/events": {
   "get": {
    "summary": "Enriched events, if storage.events is true",
    "description": "Any field of the event filters: FIELD=VALUE, or field.FIELD=VALUE for one named like a parameter.",
    "parameters": [
     {"$ref": "#/components/parameters/from"},
     {"$ref": "#/components/parameters/to"},
     {"$ref": "#/components/parameters/limit"},
     {"$ref": "#/components/parameters/order"},
     {"$ref": "#/components/parameters/cursor"}
    ],
    "responses": {
     "200": {
      "description": "a page",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {
       "application/json": {
        "schema": {
         "type": "object",
         "required": ["items", "next"],
         "properties": {
          "items": {"type": "array", "items": {"$ref": "#/components/schemas/event"}},
          "next": {"type": ["string", "null"], "description": "cursor of the next page"}
         }
        }
       }
      }
     },
     "400": {
      "description": "bad parameter",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "401": {
      "description": "token missing or wrong",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "404": {
      "description": "no such thing",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     },
     "503": {
      "description": "the database is busy; try again",
      "headers": {
       "Millrace-Watermark": {
        "description": "RFC 3339; none: not known yet; end: the input has ended. What is due before it is in the answer.",
        "schema": {"type": "string"}
       }
      },
      "content": {"application/json": {"schema": {"$ref": "#/components/schemas/error"}}}
     }
    }
   }
  }
 },
 "components": {
  "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
  "parameters": {
   "from": {
    "name": "from",
    "in": "query",
    "required": false,
    "description": "first time (start of the window, at of the alert, time of the event), inclusive",
    "schema": {"type": "string", "format": "date-time"}
   },
   "to": {
    "name": "to",
    "in": "query",
    "required": false,
    "description": "last time, exclusive",
    "schema": {"type": "string", "format": "date-time"}
   },
   "limit": {
    "name": "limit",
    "in": "query",
    "required": false,
    "description": "items of a page",
    "schema": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 100}
   },
   "order": {
    "name": "order",
    "in": "query",
    "required": false,
    "description": "by time",
    "schema": {"type": "string", "enum": ["asc", "desc"], "default": "desc"}
   },
   "cursor": {
    "name": "cursor",
    "in": "query",
    "required": false,
    "description": "the next of the page before, with the same other parameters",
    "schema": {"type": "string"}
   }
  },
  "schemas": {
   "window": {
    "type": "object",
    "required": ["kind", "window", "key", "start", "end", "version", "final", "values"],
    "properties": {
     "kind": {"const": "window"},
     "window": {"type": "string"},
     "key": {"type": "object"},
     "start": {"type": "string", "format": "date-time"},
     "end": {"type": "string", "format": "date-time"},
     "seq": {"type": "integer"},
     "version": {"type": "integer"},
     "final": {"type": "boolean"},
     "retracted": {"type": "boolean"},
     "values": {"type": "object"},
     "errors": {"type": "object", "additionalProperties": {"type": "string"}}
    }
   },
   "alert": {
    "type": "object",
    "required": ["kind", "rule", "id", "key", "state", "at", "since", "severity", "labels", "summary", "values"],
    "properties": {
     "kind": {"const": "alert"},
     "rule": {"type": "string"},
     "id": {"type": "string"},
     "key": {"type": "object"},
     "state": {"enum": ["pending", "firing", "resolved"]},
     "at": {"type": "string", "format": "date-time"},
     "since": {"type": "string", "format": "date-time"},
     "severity": {"type": ["string", "null"]},
     "labels": {"type": "object"},
     "summary": {"type": "string"},
     "values": {"type": "object"}
    }
   },
   "event": {"type": "object"},
   "error": {
    "type": "object",
    "required": ["error"],
    "properties": {
     "error": {
      "type": "object",
      "required": ["code", "message"],
      "properties": {"code": {"type": "string"}, "message": {"type": "string"}}
     }
    }
   }
  }
 }
}
)json";
}

} // namespace millrace::http
