"""Words beside its name by which a node is found: English, 日本語, 简体中文. Newer pages look through them."""

SEARCH_WORDS = {
    "ColorizeCheckpointLoader": (
        "colorize", "colorization", "ColorizeDiffusion", "ColorizeDiffusion XL", "SDXL", "model",
        "彩色モデル", "モデル読み込み", "自動彩色", "上色模型", "加载模型", "自动上色",
    ),
    "ColorizeTaggerLoader": (
        "WD tagger", "WD14", "SwinV2", "image encoder", "ColorizeDiffusion XL", "SDXL",
        "タガー", "画像エンコーダー", "モデル読み込み", "打标模型", "图像编码器", "加载模型",
    ),
    "ColorizeExamplePicture": (
        "demo", "sample", "example drawing", "test image", "サンプル", "見本", "線画", "示例", "样例", "线稿",
    ),
    "ColorizeLoadFrames": (
        "image sequence", "load folder", "batch load", "animation frames", "shot",
        "連番画像", "フレーム", "アニメ", "动画", "序列帧", "批量加载", "图片序列",
    ),
    "ColorizePrepareSketch": (
        "lineart", "line art", "sketch", "drawing", "scribble", "pencil", "letterbox", "invert",
        "線画", "ラフ", "下描き", "线稿", "线条", "草图",
    ),
    "ColorizeCropToBox": (
        "uncrop", "unpad", "remove margins", "letterbox", "切り抜き", "余白", "裁剪", "去边",
    ),
    "ColorizeLineExtractorLoader": (
        "sketchkeras", "lineart model", "線画抽出", "モデル読み込み", "线稿提取", "加载模型",
    ),
    "ColorizeExtractLines": (
        "lineart", "line art", "image to sketch", "sketchkeras", "outline", "edges",
        "線画抽出", "線画化", "线稿提取", "提取线条", "描边",
    ),
    "ColorizeSegmenterLoader": (
        "isnet", "anime segmentation", "background removal model",
        "人物抽出", "モデル読み込み", "角色分割", "抠图模型", "加载模型",
    ),
    "ColorizeSegmentCharacter": (
        "anime segmentation", "remove background", "rembg", "isnet", "character mask", "cutout",
        "人物抽出", "背景除去", "マスク作成", "切り抜き", "抠图", "去背景", "角色遮罩", "角色分割",
    ),
    "ColorizeMergeMasks": (
        "combine masks", "mask union", "grow mask", "dilate", "feather", "blur mask",
        "マスク合成", "マスク拡張", "ぼかし", "合并遮罩", "扩展遮罩", "羽化",
    ),
    "ColorizeBleach": (
        "whiten", "erase", "fill white", "remove character", "remove background", "mask out",
        "白抜き", "白塗り", "消去", "背景除去", "涂白", "去背景", "擦除",
    ),
    "ColorizePreviewRegions": (
        "mask preview", "split preview", "show mask", "マスク確認", "プレビュー", "遮罩预览", "区域预览",
    ),
    "ColorizeEncodeReference": (
        "reference", "colorize", "flat color", "flatting", "IP-Adapter", "character sheet",
        "参照", "彩色", "色見本", "下塗り", "塗り", "キャラ設定", "参考图", "上色", "着色", "平涂", "角色设定",
    ),
    "ColorizeEncodeBackground": (
        "background reference", "scenery", "background color", "背景", "背景美術", "彩色", "背景参考", "上色", "场景",
    ),
    "ColorizeEncodeStyle": (
        "style transfer", "shading", "rendering", "line color", "IP-Adapter style",
        "画風", "作風", "塗り方", "陰影", "厚塗り", "画风", "风格迁移", "阴影", "厚涂",
    ),
    "ColorizeAddRegion": (
        "multiple characters", "regional", "second character", "couple",
        "複数キャラ", "二人", "領域", "多角色", "双人", "分区",
    ),
    "ColorizeSaveCarrier": (
        "save reference", "cache reference", "export", "参照を保存", "書き出し", "保存参考", "导出",
    ),
    "ColorizeLoadCarrier": (
        "load reference", "cached reference", "参照を読み込む", "加载参考", "读取",
    ),
    "ColorizeApply": (
        "colorize", "colorization", "colourise", "lineart", "line art", "flat color", "coloring", "auto color",
        "彩色", "着色", "自動彩色", "自動着色", "塗り", "線画に色", "上色", "线稿上色", "自动上色", "填色",
    ),
    "ColorizeBlockStrengths": (
        "block weights", "layer weights", "attention strength", "ブロック強度", "階層", "分层权重", "分块强度",
    ),
    "ColorizeTimeSteps": (
        "scheduler", "sigmas", "timesteps", "default sampler", "original sampler", "dpmpp_2m",
        "スケジューラ", "シグマ", "タイムステップ", "公開版", "调度器", "时间步", "原版采样器",
    ),
    "ColorizeGuider": (
        "cfg", "guidance", "dual cfg", "CFGGuider", "ガイダンス", "引导", "双重引导",
    ),
    "ColorizeHintStrengths": (
        "sketch strength", "line strength", "lineart strength", "control weights", "hint",
        "線画の強さ", "線の強さ", "階層", "线稿强度", "线条强度", "分层权重",
    ),
    "ColorizeSampleSequence": (
        "ksampler", "animation", "video", "batch sampler", "frames", "shot",
        "アニメ彩色", "連番", "動画", "サンプラー", "动画上色", "视频", "采样器", "批量",
    ),
    "ColorizeAttentionInjection": (
        "reference only", "self attention", "attention sharing", "fidelity",
        "参照強化", "自己注意", "アテンション", "仅参考", "自注意力", "注意力注入",
    ),
    "ColorizeManipulateTokens": (
        "text edit", "prompt", "change color by text", "recolor", "hair color",
        "文字で編集", "プロンプト", "色変更", "髪色", "文字修改", "提示词", "改色", "发色",
    ),
    "ColorizeExtractPalette": (
        "color palette", "pick colors", "eyedropper", "swatches", "color picker", "dominant colors", "color chart",
        "パレット", "色抽出", "スポイト", "色見本", "色指定", "调色板", "提取颜色", "取色", "吸管", "色卡",
    ),
    "ColorizePalette": (
        "color palette", "swatches", "color list", "hex", "color chart", "パレット", "色見本", "色指定", "调色板",
        "色卡", "色板",
    ),
    "ColorizeLoadPalette": (
        "gpl", "GIMP palette", "Krita palette", "color palette", "パレット", "色見本", "调色板", "加载色卡",
    ),
    "ColorizeSavePalette": (
        "gpl", "GIMP palette", "Krita palette", "export palette", "パレット", "書き出し", "调色板", "导出色卡",
    ),
    "ColorizeLineRegions": (
        "flood fill", "paint bucket", "bucket fill", "gap closing", "close gaps", "line art", "segment lineart",
        "塗り分け", "バケツ塗り", "隙間閉じ", "閉領域", "領域分割", "油漆桶", "填充", "闭合间隙",
        "封闭区域", "区域分割",
    ),
    "ColorizeFlats": (
        "flat colors", "flatting", "flats", "bucket fill", "base colors", "anime fill", "cel", "two tones",
        "フラット塗り", "下塗り", "ベタ塗り", "アニメ塗り", "仕上げ", "塗り分け", "平涂", "底色", "赛璐珞",
        "填色", "铺色",
    ),
    "ColorizeInkOver": (
        "line art", "lineart overlay", "ink", "colored lines", "line color", "multiply", "trace lines",
        "線画合成", "線画を重ねる", "色トレス", "主線", "线稿叠加", "线条上色", "色线", "描线",
    ),
    "ColorizeTrackRegions": (
        "flicker", "deflicker", "temporal consistency", "track", "segment matching", "propagate colors", "animation",
        "ちらつき", "ちらつき防止", "領域追跡", "トラッキング", "連番", "色の統一", "闪烁", "去闪烁", "区域跟踪",
        "时间一致性", "颜色传播",
    ),
    "ColorizeSaveCels": (
        "cel", "indexed png", "tga", "OpenToonz", "RETAS", "ink and paint", "export frames", "transparent png",
        "セル", "仕上げ", "連番書き出し", "インデックスカラー", "赛璐珞", "导出序列帧", "索引颜色",
    ),
    "ColorizeSaveLayers": (
        "psd", "ora", "photoshop", "clip studio", "krita", "gimp", "layered file", "export layers",
        "レイヤー", "レイヤー保存", "書き出し", "クリスタ", "图层", "分层", "保存图层", "导出",
    ),
    "ColorizeMakeLayers": (
        "layers", "layered image", "compositor", "レイヤー", "合成", "图层", "分层", "合成器",
    ),
    "ColorizeMeasure": (
        "delta E", "CIEDE2000", "color difference", "heat map", "evaluate", "PSNR", "quality", "leak",
        "色差", "評価", "計測", "ヒートマップ", "塗り間違い", "色差测量", "评估", "热力图", "漏色",
    ),
}  # fmt: skip
